#!/bin/sh
# Compares copies with their checksums: sh verify.sh [FOLDER of a dataset ...]; without one, everything below.
# Needs a POSIX shell and md5sum, sha1sum, ..., or md5, sha1, shasum, openssl in their place.
# Prints what is missing or differs. Ends with 0: all is right; 1: something is not; 2: it could not check.
LC_ALL=C
export LC_ALL
root=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) || exit 2
cd "$root" || exit 2
found=$(mktemp) && lines=$(mktemp) || exit 2
trap 'rm -f "$found" "$lines"' EXIT
trap 'exit 2' INT TERM
newline='
'

# digest ALGORITHM FILE: its hexadecimal digits, or nothing
digest() {
    if command -v "$1sum" >/dev/null 2>&1; then "$1sum" <"$2"
    elif command -v shasum >/dev/null 2>&1 && [ "$1" != md5 ]; then shasum -a "${1#sha}" <"$2"
    elif command -v "$1" >/dev/null 2>&1; then "$1" -q <"$2"
    elif command -v openssl >/dev/null 2>&1; then openssl dgst "-$1" -r <"$2"
    fi 2>/dev/null | sed 's/[^0-9A-Fa-f].*//'
}

# unescaped NAME: as coreutils write it, with \\ for a backslash, \n and \r
unescaped() {
    rest=$1 name=
    while :; do
        case $rest in
        *\\*) ;;
        *) break ;;
        esac
        name=$name${rest%%\\*}
        rest=${rest#*\\}
        case $rest in
        n*) name=$name$newline ;;
        r*) name=$name$(printf '\r') ;;
        *) name=$name\\ ;;
        esac
        rest=${rest#?}
    done
    name=$name$rest
}

# one ALGORITHM LINE: compare the file that a line names
one() {
    line=$2
    case $line in
    \\*) line=${line#?} wanted=${line%%  *}; unescaped "${line#*  }" ;;
    *) wanted=${line%%  *} name=${line#*  } ;;
    esac
    if [ ! -f "$name" ]; then
        printf '%s: MISSING\n' "$dataset/${name#./}"
        return 1
    fi
    real=$(digest "$1" "$name")
    [ "$real" = "$wanted" ] && return 0
    if [ -z "$real" ]; then printf '%s: NOT READ\n' "$dataset/${name#./}"
    else printf '%s: DIFFERS\n' "$dataset/${name#./}"
    fi
    return 1
}

# all ALGORITHM LIST: in one go where there is the tool, else one by one; what is wrong is looked at one by one
all() {
    grep -v '^\\' "$2" >"$lines"
    if [ -s "$lines" ] && command -v "$1sum" >/dev/null 2>&1 && "$1sum" -c "$lines" >/dev/null 2>&1; then
        grep '^\\' "$2" >"$lines" || return 0
    else
        cat "$2" >"$lines"
    fi
    bad=0
    while IFS= read -r line; do
        one "$1" "$line" || bad=1
    done <"$lines"
    return $bad
}

for tool in md5 sha1 sha256 sha512; do
    find "${@:-.}" -path "*/.dataverse-backup/${tool}sum.txt" -type f
done >"$found" || exit 2
if [ ! -s "$found" ]; then
    echo "verify.sh: there are no lists of checksums" >&2
    exit 2
fi
status=0 lists=0 files=0 dumps=0
if [ $# -eq 0 ]; then # the name of a dump of the database ends with its SHA-256
    for dump in .dataverse-backup/database/*-*.dump; do
        [ -f "$dump" ] || continue
        dumps=$((dumps + 1)) wanted=${dump##*-} real=$(digest sha256 "$dump")
        [ "$real" = "${wanted%.dump}" ] && continue
        status=1
        if [ -z "$real" ]; then echo "$dump: NOT READ"; else echo "$dump: DIFFERS"; fi
    done
fi
while IFS= read -r list; do
    dataset=${list%/.dataverse-backup/*}
    tool=${list##*/}
    tool=${tool%sum.txt}
    if [ -z "$(echo | digest "$tool" /dev/null)" ]; then
        echo "verify.sh: nothing here computes $tool" >&2
        exit 2
    fi
    (cd "./$dataset" 2>/dev/null || cd "$dataset" || exit 2; all "$tool" ".dataverse-backup/${tool}sum.txt") || status=1
    lists=$((lists + 1))
    files=$((files + $(wc -l <"$list")))
done <"$found"
also=
if [ $dumps -gt 0 ]; then also=" and $dumps dump(s) of the database"; fi
if [ $status -eq 0 ]; then echo "$files files in $lists lists$also: all are right"
else echo "$files files in $lists lists$also: some are not right, see above"
fi
exit $status
