"""The ssh configuration: which lines count for a host, and which ones are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataverse_backup.destinations.ssh import route
from dataverse_backup.destinations.ssh.route import Hop, route_to, written
from dataverse_backup.destinations.ssh.settings import SshSettings
from dataverse_backup.errors import ConfigurationError


def way(folder: Path, text: str, host: str = "backup.example.org") -> tuple[Hop, ...]:
    (folder / "config").write_text(text)
    return route_to(SshSettings(host, "/backup", config_file=str(folder / "config")))


def configuration(folder: Path, text: str, host: str = "backup.example.org") -> Hop:
    return way(folder, text, host)[-1]


def values(found: Hop, keyword: str) -> list[tuple[str, ...]]:
    return [directive.arguments for directive in found.directives if directive.keyword == keyword]


def test_only_blocks_that_match_count_in_their_order(tmp_path: Path) -> None:
    text = "Host other\nPort 1\nHost *.example.org !bad.*\nPort 2\nHost *\nPort=3\n"
    assert values(configuration(tmp_path, text), "port") == [("2",), ("3",)]
    assert values(configuration(tmp_path, text, "bad.example.org"), "port") == [("3",)]


def test_included_files_count_where_they_are_included(tmp_path: Path) -> None:
    (tmp_path / "inner").write_text("Host nobody\nPort 1\nHost *\nPort 2\n")
    found = configuration(tmp_path, f"Include {tmp_path}/inner\nPort 3\n")
    assert values(found, "port") == [("2",), ("3",)]
    assert [directive.place for directive in found.directives] == [
        f"{tmp_path}/inner, line 4",
        f"{tmp_path}/config, line 2",
    ]


def test_match_blocks_are_judged(tmp_path: Path) -> None:
    text = "Match host *.example.org\nPort 1\nMatch user nobody-here\nPort 2\nMatch all\nPort 3\n"
    assert values(configuration(tmp_path, text), "port") == [("1",), ("3",)]


def test_a_match_that_cannot_be_judged_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="line 1"):
        configuration(tmp_path, "Match localnetwork 10.0.0.0/8\nPort 1\n")


def test_a_harmless_value_of_a_directive_that_is_not_honoured_is_accepted(tmp_path: Path) -> None:
    configuration(tmp_path, "CanonicalizeHostname no\nPKCS11Provider none\n")


def test_known_hosts_are_those_of_the_first_line_that_names_them(tmp_path: Path) -> None:
    text = "UserKnownHostsFile ~/here %d/there\nGlobalKnownHostsFile none\nUserKnownHostsFile /ignored\n"
    assert configuration(tmp_path, text).known_hosts() == [Path.home() / "here", Path.home() / "there"]


def test_no_known_hosts_file_at_all_is_not_a_reason_to_trust(tmp_path: Path) -> None:
    assert configuration(tmp_path, "UserKnownHostsFile none\nGlobalKnownHostsFile none\n").known_hosts() == []


def test_match_exec_is_judged_without_tokens_and_refused_with_them(tmp_path: Path) -> None:
    assert values(configuration(tmp_path, "Match exec true\nPort 1\nMatch exec false\nPort 2\n"), "port") == [("1",)]
    with pytest.raises(ConfigurationError, match="tokens"):
        configuration(tmp_path, 'Match exec "test %h"\nPort 1\n')


# What is honoured


@pytest.mark.parametrize("directive", ["BindInterface eth0", "RevokedHostKeys /x", "FutureDirective yes"])
def test_what_nobody_would_obey_is_refused_with_its_place(tmp_path: Path, directive: str) -> None:
    keyword = directive.split(maxsplit=1)[0].lower()
    with pytest.raises(ConfigurationError, match=f"config, line 3: .*{keyword}"):
        configuration(tmp_path, f"# one\nHost *\n  {directive}\n")


def test_unknown_directives_are_ignored_where_the_configuration_says_so(tmp_path: Path) -> None:
    found = configuration(tmp_path, "IgnoreUnknown UseKey*,Future*\nUseKeyring yes\nFutureDirective yes\nPort 7\n")
    assert values(found, "port") == [("7",)]
    with pytest.raises(ConfigurationError, match=r"line 1: .*futuredirective"):
        configuration(tmp_path, "FutureDirective yes\nIgnoreUnknown Future*\n")


def test_no_ignore_unknown_makes_a_directive_harmless_that_is_known_not_to_be(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="line 2: bindinterface"):
        configuration(tmp_path, "IgnoreUnknown *\nBindInterface eth0\n")


DEFAULTS = {
    "Debian": "Host *\n    SendEnv LANG LC_*\n    HashKnownHosts yes\n    GSSAPIAuthentication yes\n",
    "Red Hat": (
        "Match final all\n    GSSAPIAuthentication yes\n    ForwardX11Trusted yes\n"
        "Ciphers aes256-gcm@openssh.com\nMACs hmac-sha2-256-etm@openssh.com\nGSSAPIKeyExchange no\n"
        "KexAlgorithms curve25519-sha256\nHostKeyAlgorithms ssh-ed25519\nPubkeyAcceptedAlgorithms ssh-ed25519\n"
        "CASignatureAlgorithms ssh-ed25519\nGSSAPIKexAlgorithms gss-curve25519-sha256-\nRequiredRSASize 2048\n"
    ),
    "macOS": "Host *\n    SendEnv LANG LC_*\n    UseKeychain yes\n    AddKeysToAgent yes\n",
}


@pytest.mark.parametrize("system", DEFAULTS)
def test_what_systems_bring_along_is_accepted(tmp_path: Path, system: str) -> None:
    configuration(tmp_path, DEFAULTS[system])


def test_relative_includes_start_from_the_folder_of_their_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user, system = tmp_path / "user", tmp_path / "system"
    for folder, port in ((user, 1), (system, 2)):
        folder.mkdir()
        (folder / "config").write_text("Include more\n")
        (folder / "more").write_text(f"Port {port}\n")
    files = [(user / "config", user), (system / "config", system)]
    monkeypatch.setattr(route, "_files", lambda _: files)
    (hop,) = route_to(SshSettings("backup.example.org", "/backup"))
    assert [written(found) for found in hop.honoured_elsewhere()] == ["port 1", "port 2"]


def test_what_applies_is_written_down_once_and_quoted(tmp_path: Path) -> None:
    text = (
        "Match final all\nIdentityFile '~/a b'\nHost other\nPort 1\nHost *\nIdentityFile ~/c\nCiphers =  +x,y\n"
        "ProxyCommand = nc --x='a b' %h %p\nHashKnownHosts yes\n"
    )
    assert [written(found) for found in configuration(tmp_path, text).honoured_elsewhere()] == [
        "identityfile '~/c'",
        "ciphers +x,y",
        "proxycommand nc --x='a b' %h %p",
        "identityfile '~/a b'",
    ]


# The way


def hosts(hops: tuple[Hop, ...]) -> list[tuple[str, int | None, str | None]]:
    return [(hop.host, hop.port, hop.username) for hop in hops]


def test_jump_hosts_are_logged_in_to_one_through_the_other(tmp_path: Path) -> None:
    text = "Host backup.*\nProxyJump me@one:2222,ssh://two,[::1]:22\nHost one two\nProxyJump zero\n"
    assert hosts(way(tmp_path, text)) == [
        ("zero", None, None),
        ("one", 2222, "me"),
        ("two", None, None),
        ("::1", 22, None),
        ("backup.example.org", None, None),
    ]


def test_the_first_of_proxy_jump_and_proxy_command_counts(tmp_path: Path) -> None:
    (hop,) = way(tmp_path, "ProxyCommand nc %h %p\nProxyJump one\n")
    assert [written(found) for found in hop.honoured_elsewhere()] == ["proxycommand nc %h %p"]
    (hop,) = way(tmp_path, "ProxyJump none\nProxyCommand nc %h %p\n")
    assert hop.honoured_elsewhere() == []
    (_, hop) = way(tmp_path, "Host backup.*\nProxyJump one\nProxyCommand nc %h %p\n")
    assert hop.honoured_elsewhere() == []


def test_a_way_that_leads_in_a_circle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="line 1: the way to one leads through one itself"):
        way(tmp_path, "ProxyJump one\n")


@pytest.mark.parametrize("jump", ["a b@c d:22", "host:port", "user@", ","])
def test_a_jump_that_cannot_be_understood_is_refused(tmp_path: Path, jump: str) -> None:
    with pytest.raises(ConfigurationError, match=r"line 2: .* is not a machine"):
        way(tmp_path, f'Host backup.*\nProxyJump "{jump}"\n')


def test_the_directives_of_a_jump_host_are_its_own(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="line 4: bindinterface"):
        way(tmp_path, "Host backup.*\nProxyJump one\nHost one\nBindInterface eth0\n")
    text = "Host backup.*\nProxyJump one\nHost one\nUserKnownHostsFile none\nGlobalKnownHostsFile none\n"
    assert way(tmp_path, text)[0].known_hosts() == []
