_dataverse_backup_completion() {
    local IFS=$'
'
    COMPREPLY=( $( env COMP_WORDS="${COMP_WORDS[*]}" \
                   COMP_CWORD=$COMP_CWORD \
                   _DATAVERSE_BACKUP_COMPLETE=complete_bash $1 ) )
    return 0
}

complete -o default -F _dataverse_backup_completion dataverse-backup
