"""What ``[Notifications]`` says: who is told how a run ended, and what watches it."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr, model_validator

from dataverse_backup.config.values import (
    Address,
    Addresses,
    Host,
    LocalPath,
    Port,
    SecretUrl,
    SecretUrls,
    SectionModel,
    Word,
    lower_case,
)

USUAL_PORTS = {"none": 25, "starttls": 587, "tls": 465}
"""The port of each SmtpSecurity."""

When = Annotated[Literal["always", "failure", "change"], BeforeValidator(lower_case)]
Security = Annotated[Literal["none", "starttls", "tls"], BeforeValidator(lower_case)]


class NotificationSettings(SectionModel):
    """Who is told how a run ended."""

    email: Addresses = Field(
        [],
        alias="Email",
        description="Mail addresses, parted by commas; without one no mail is sent.",
        examples=["admin@example.edu"],
    )
    when: When = Field(
        "always",
        alias="When",
        description="Which runs are told of by mail and NotifyUrls: always, failure (a run that is not well), or change"
        " (another outcome than the run before, or a file that began to fail or is well again).",
    )
    sender: Address | None = Field(
        None,
        alias="From",
        description="The sender of mails; by default the system's for a command, dataverse-backup@ this host for SMTP.",
        examples=["dataverse-backup@example.edu"],
    )
    mail_command: Word = Field(
        "mail",
        alias="MailCommand",
        description="The command that sends a mail where there is no SmtpServer. mail gets the text only;"
        " sendmail (any command of that name) gets the lists of files attached too.",
    )
    smtp_server: Host | None = Field(
        None, alias="SmtpServer", description="Send mails by SMTP through this server.", examples=["smtp.example.edu"]
    )
    smtp_port: Port | None = Field(
        None, alias="SmtpPort", description="Its port; by default that of SmtpSecurity: 25, 587 or 465."
    )
    smtp_security: Security = Field(
        "starttls",
        alias="SmtpSecurity",
        description="none, starttls (begin in clear, refuse to go on so) or tls (from the first byte). The server's"
        " certificate is checked against the system's authorities, or those that SSL_CERT_FILE names.",
    )
    smtp_username: str | None = Field(
        None, alias="SmtpUsername", description="The user to log in as; without one there is no log-in."
    )
    smtp_password: SecretStr | None = Field(
        None,
        alias="SmtpPassword",
        description="The password. The environment variable DATAVERSE_BACKUP_SMTP_PASSWORD comes before it.",
    )
    smtp_password_file: LocalPath | None = Field(
        None, alias="SmtpPasswordFile", description="A file whose first line is the password, instead of SmtpPassword."
    )
    report_directory: LocalPath | None = Field(
        None,
        alias="ReportDirectory",
        description="The folder that the report, a set of web pages, is written to after each run. It must exist.",
        examples=["/var/www/html/backup"],
    )
    prometheus_file: LocalPath | None = Field(
        None,
        alias="PrometheusFile",
        description="A file for the textfile collector of Prometheus' node_exporter, written after each run.",
        examples=["/var/lib/prometheus/node-exporter/dataverse_backup.prom"],
    )
    ping_url: SecretUrl | None = Field(
        None,
        alias="PingUrl",
        description="The address of a dead-man service such as healthchecks.io: /start, the address itself and /fail"
        " are called when a run starts, is well, and is not; the end of the log goes with it.",
    )
    notify_urls: SecretUrls | None = Field(
        None,
        alias="NotifyUrls",
        description="Addresses for apprise (Slack, Matrix, Teams, …), parted by spaces; needs the extra [notify]."
        " The environment variable DATAVERSE_BACKUP_NOTIFY_URLS comes before it.",
    )
    notify_urls_file: LocalPath | None = Field(
        None, alias="NotifyUrlsFile", description="A file whose first line has them, instead of NotifyUrls."
    )

    @model_validator(mode="after")
    def _has_both_or_neither(self) -> "NotificationSettings":
        if (self.smtp_username is None) is not (self.smtp_password is None):
            raise ValueError("SmtpUsername and SmtpPassword belong together")
        return self

    @property
    def port(self) -> int:
        """Where the SMTP server listens."""
        return self.smtp_port or USUAL_PORTS[self.smtp_security]

    @property
    def warnings(self) -> list[str]:
        """What works and should still be changed."""
        if self.smtp_password is not None and self.smtp_security == "none":
            return ["[Notifications] SmtpSecurity: none sends the password over the network in clear"]
        return []
