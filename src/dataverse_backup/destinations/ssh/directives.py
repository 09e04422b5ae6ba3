"""What becomes of each directive of the ssh configuration: honoured, known to be harmless, or an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataverse_backup.destinations.ssh.ssh_config import matches_pattern_list
from dataverse_backup.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dataverse_backup.destinations.ssh.ssh_config import Directive


def _words(text: str) -> frozenset[str]:
    return frozenset(text.lower().split())


PASSED_ON = _words("""
    AddressFamily BindAddress CASignatureAlgorithms CertificateFile Ciphers Compression EnableSSHKeysign
    GSSAPIAuthentication GSSAPIDelegateCredentials GSSAPIKeyExchange HostbasedAuthentication HostKeyAlgorithms
    HostKeyAlias Hostname IdentitiesOnly IdentityAgent IdentityFile KexAlgorithms MACs Port PreferredAuthentications
    ProxyCommand PubkeyAuthentication RekeyLimit SendEnv SetEnv TCPKeepAlive User
""")
"""asyncssh does what they say."""

_OURS = _words("GlobalKnownHostsFile IgnoreUnknown ProxyJump UserKnownHostsFile")
"""We do what they say."""

_HARMLESS = _words("""
    AddKeysToAgent BatchMode CanonicalDomains CanonicalizeFallbackLocal CanonicalizeMaxDots CanonicalizePermittedCNAMEs
    ChallengeResponseAuthentication ChannelTimeout CheckHostIP ClearAllForwardings ConnectionAttempts ConnectTimeout
    ControlMaster ControlPath ControlPersist DynamicForward EnableEscapeCommandline EscapeChar ExitOnForwardFailure
    FingerprintHash ForkAfterAuthentication ForwardAgent ForwardX11 ForwardX11Timeout ForwardX11Trusted GatewayPorts
    GSSAPIKexAlgorithms GSSAPIRenewalForcesRekey HashKnownHosts HostbasedAcceptedAlgorithms HostbasedKeyTypes IPQoS
    KbdInteractiveAuthentication KbdInteractiveDevices LocalCommand LocalForward LogLevel LogVerbose
    NoHostAuthenticationForLocalhost NumberOfPasswordPrompts ObscureKeystrokeTiming PasswordAuthentication
    PermitLocalCommand PermitRemoteOpen Protocol PubkeyAcceptedAlgorithms PubkeyAcceptedKeyTypes RemoteCommand
    RemoteForward RequestTTY RequiredRSASize SecurityKeyProvider ServerAliveCountMax ServerAliveInterval SessionType
    StdinNull StreamLocalBindMask StreamLocalBindUnlink StrictHostKeyChecking SyslogFacility Tag Tunnel TunnelDevice
    UpdateHostKeys UseKeychain VerifyHostKeyDNS VersionAddendum VisualHostKey WarnWeakCrypto XAuthLocation
""")
"""They say nothing about where and how we connect, or less than we do: ours are the host key check and the timeouts."""

_INSTEAD = {
    "bindinterface": "connections cannot be bound to an interface; use BindAddress",
    "canonicalizehostname": "host names are not canonicalized; write the full name as the destination's host",
    "knownhostscommand": "known hosts are read from files only; use UserKnownHostsFile",
    "pkcs11provider": "PKCS#11 tokens are used through the agent only; use ssh-add -s",
    "proxyusefdpass": "a proxy command must pass bytes, not a socket",
    "refuseconnection": "the configuration forbids this connection",
    "revokedhostkeys": "lists of revoked keys are not read; use @revoked lines in known_hosts",
}
"""What to do about those that OpenSSH has and we have not."""
_SWITCHED_OFF = ("no", "none")


def refuse_what_is_not_honoured(directives: Iterable[Directive]) -> None:
    """Raise ConfigurationError for the first directive that nobody would obey, unless ``IgnoreUnknown`` allows it."""
    ignored: list[str] = []
    for directive in directives:
        keyword = directive.keyword
        if keyword == "ignoreunknown":
            ignored = ignored or ",".join(directive.arguments).split(",")
        elif keyword in _INSTEAD:
            _refuse_unless_switched_off(directive)
        elif keyword not in PASSED_ON | _OURS | _HARMLESS and not matches_pattern_list(keyword, ignored):
            hint = "if it may be ignored here, say so above it: IgnoreUnknown " + keyword
            raise ConfigurationError(f"{directive.place}: nothing is known about {keyword}", hint)


def _refuse_unless_switched_off(directive: Directive) -> None:
    if directive.arguments[0].lower() not in _SWITCHED_OFF:
        said = f"{directive.place}: {directive.keyword} cannot be honoured"
        raise ConfigurationError(said, _INSTEAD[directive.keyword])
