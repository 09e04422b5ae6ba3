"""Who hears of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataverse_backup.assembly.plain import secret

if TYPE_CHECKING:
    from dataverse_backup.config.notifications import NotificationSettings
    from dataverse_backup.notify.base import Channel


def make_channels(settings: NotificationSettings) -> list[Channel]:
    """Every way in which people are to hear of a run."""
    channels: list[Channel] = []
    if settings.email:
        channels.append(_make_mail(settings))
    if settings.notify_urls is not None:
        from dataverse_backup.notify.chat import Chat  # noqa: PLC0415 -- when used

        channels.append(Chat(settings.notify_urls.get_secret_value().split()))
    return channels


def _make_mail(settings: NotificationSettings) -> Channel:
    from dataverse_backup.notify.command import MailCommand, Sendmail, is_sendmail  # noqa: PLC0415 -- when used
    from dataverse_backup.notify.smtp import SmtpMail, SmtpServer  # noqa: PLC0415 -- when used

    if settings.smtp_server is not None:
        login = settings.smtp_username, secret(settings.smtp_password)
        server = SmtpServer(settings.smtp_server, settings.port, settings.smtp_security, *login)
        return SmtpMail(settings.email, server, settings.sender)
    if is_sendmail(settings.mail_command):
        return Sendmail(settings.email, settings.mail_command, sender=settings.sender)
    return MailCommand(settings.email, settings.mail_command)
