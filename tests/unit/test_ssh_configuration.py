"""The ssh configuration: which lines count for a host, and which ones are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataverse_backup.destinations.ssh.client_options import ClientConfiguration
from dataverse_backup.destinations.ssh.settings import SshSettings
from dataverse_backup.errors import ConfigurationError


def configuration(folder: Path, text: str, host: str = "backup.example.org") -> ClientConfiguration:
    (folder / "config").write_text(text)
    return ClientConfiguration.of(SshSettings(host, "/backup", config_file=str(folder / "config")))


def values(found: ClientConfiguration, keyword: str) -> list[tuple[str, ...]]:
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
    found = configuration(tmp_path, text)
    assert found.known_hosts(SshSettings("h", "/d")) == [Path.home() / "here", Path.home() / "there"]
    assert found.known_hosts(SshSettings("h", "/d", known_hosts="/x")) == [Path("/x")]


def test_no_known_hosts_file_at_all_is_not_a_reason_to_trust(tmp_path: Path) -> None:
    found = configuration(tmp_path, "UserKnownHostsFile none\nGlobalKnownHostsFile none\n")
    assert found.known_hosts(SshSettings("h", "/d")) == []


def test_match_exec_is_judged_without_tokens_and_refused_with_them(tmp_path: Path) -> None:
    assert values(configuration(tmp_path, "Match exec true\nPort 1\nMatch exec false\nPort 2\n"), "port") == [("1",)]
    with pytest.raises(ConfigurationError, match="tokens"):
        configuration(tmp_path, 'Match exec "test %h"\nPort 1\n')


def test_a_hop_whose_host_key_nobody_would_check_is_refused(tmp_path: Path) -> None:
    hop = "Host jump\nUserKnownHostsFile none\n"
    with pytest.raises(ConfigurationError, match="line 2: the host key of jump"):
        configuration(tmp_path, f"{hop}Host *.example.org\nProxyJump first.example.net,me@jump:2222\n")
    configuration(tmp_path, f"{hop}Host *.example.org\nProxyJump first.example.net\n")
