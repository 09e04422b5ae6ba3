"""What else there is to know beside options: exit codes, environment, files, examples."""

from __future__ import annotations

from dataverse_backup.cli.exit_codes import ExitCode
from dataverse_backup.config import finding, passwords

EXIT_CODES = {
    ExitCode.OK: "Nothing to do. A command that only answers (list, status, report, explain) ends so when it has"
    " answered.",
    ExitCode.COULD_NOT_RUN: "A database, the ledger or every destination could not be used, and nothing was recorded."
    " The message names it and what to check; the next run does what this one could not.",
    ExitCode.USAGE: "An option or the configuration is wrong; nothing was started. Every mistake is told at once.",
    ExitCode.FAILURES: "What could be copied is. See dataverse-backup list --status FAIL_READ and FAIL_WRITE, and the"
    " message about a destination that was lost or busy. The next run tries again.",
    ExitCode.DAMAGE: "Copies, or files of Dataverse itself, are missing or altered. First look for the reason.",
    ExitCode.BRAKE: "So much of a store vanished, or is missing or altered, that the run stopped and kept every copy."
    " The message names the store and some files; when a person has looked, backup --release-brake goes on.",
    ExitCode.BUSY: "Every chosen destination is being backed up to already. Nothing to do, unless that run hangs.",
    ExitCode.LIMIT: "What was done is recorded; the next run goes on.",
    ExitCode.INTERRUPTED: "By Ctrl-C or SIGTERM. What was done is recorded; the next run goes on.",
}
"""What to make of each."""

SECRETS = (*passwords.DATABASE, *passwords.NOTIFICATIONS, *(r for of in passwords.DESTINATIONS.values() for r in of))

ENVIRONMENT = {
    finding.VARIABLE: "The configuration file, where --config names none.",
    **{
        secret.variable: f"The secret that {secret.file_key} names a file for; it comes before that."
        for secret in SECRETS
    },
    passwords.CREDENTIALS: "Set by systemd: secrets whose files are named without a folder come from there first.",
    "TMPDIR": "Where a run spools its plan: some hundred bytes for each file that is to be copied. By default /tmp.",
    "SSL_CERT_FILE": "Certificates that are trusted instead of the system's.",
    "NO_COLOR": "No colours on a terminal.",
}

FILES = {
    **{str(place): "The configuration, the first of these that exists." for place in finding.places({"HOME": "~"})},
    "ledger.db": "The ledger, beside the configuration unless BackupDatabase says otherwise.",
}

EXAMPLES = {
    "dataverse-backup": (
        ("Write a configuration to begin with:", "dataverse-backup config generate > config.ini"),
        ("Try out everything that a backup needs:", "dataverse-backup --config config.ini check"),
        ("See what a run would do, and do it:", "dataverse-backup backup --dry-run\ndataverse-backup backup"),
    ),
    "dataverse-backup backup": (
        ("From cron, silent when all is well:", "dataverse-backup backup --quiet"),
        (
            "To one destination, a first look at a hundred files:",
            "dataverse-backup backup --destination far --limit 100",
        ),
    ),
    "dataverse-backup list": (
        ("What could not be read, or is not as registered:", "dataverse-backup list --status FAIL_READ"),
        ("The copies of a dataset, for a spreadsheet:", "dataverse-backup list --dataset doi:10.5072/FK2/ABCDEF --csv"),
    ),
    "dataverse-backup status": (
        ("For Nagios, Icinga and their kin:", "dataverse-backup status --nagios --max-age 26h"),
    ),
    "dataverse-backup report": (
        ("Pages for a web server:", "dataverse-backup report --html /var/www/backup-report"),
        ("The runs of the past are named by:", "dataverse-backup report --json"),
    ),
    "dataverse-backup explain": (
        (
            "By the id of a datafile, or by its storage identifier:",
            "dataverse-backup explain 4711\ndataverse-backup explain s3://bucket:18b3972213f-268",
        ),
    ),
}
"""By command: what for, and the lines to type. A test reads each as the command line would."""
