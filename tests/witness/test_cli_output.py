"""What the appliance's own command line prints around log lines is ignored: `findevent`, `grep`, `tail` sessions."""

from __future__ import annotations

import pytest

from tests.core.support import read_events

LINES = """\
Wed Nov 20 19:47:40 2024 Info: New SMTP ICID 71 interface Data 1 (192.0.2.1) address 198.51.100.4 reverse dns host mail.example.org verified yes
Wed Nov 20 19:47:40 2024 Info: ICID 71 ACCEPT SG PARTNERS match .example.org SBRS 4.1 country Norway
Wed Nov 20 19:47:41 2024 Info: ICID 71 TLS success protocol TLSv1.2 cipher ECDHE-RSA-AES256-GCM-SHA384
Wed Nov 20 19:47:41 2024 Info: Start MID 81 ICID 71
Wed Nov 20 19:47:41 2024 Info: MID 81 ICID 71 From: <ann@example.org>
Wed Nov 20 19:47:41 2024 Info: MID 81 ICID 71 RID 0 To: <bob@example.com>
Wed Nov 20 19:47:43 2024 Info: New SMTP DCID 91 interface 192.0.2.1 address 203.0.113.5 port 25
Wed Nov 20 19:47:44 2024 Info: DCID 91 TLS failed: STARTTLS unexpected response
Wed Nov 20 19:47:44 2024 Info: Delivery start DCID 91 MID 81 to RID [0]
Wed Nov 20 19:47:45 2024 Info: Message done DCID 91 MID 81 to RID [0]
"""

FINDEVENT = """\
esa1.example.com> findevent

Please choose which type of search you want to perform:
1. Search by envelope FROM
2. Search by Message ID
3. Search by Subject
4. Search by envelope TO
[1]> 2

Enter the Message ID (MID) to search for.
[]> 81

Currently configured logs:
1. "mail_logs" Type: "IronPort Text Mail Logs" Retrieval: FTP Poll
2. "tls_mail_logs" Type: "IronPort Text Mail Logs" Retrieval: SCP Push - Host 192.0.2.99
Enter the number of the log you wish to use for message tracking.
[]> 1

Please choose which set of logs to search:
1. All available log files
2. Select log files by date list
3. Current log file
[3]> 1

{lines}
esa1.example.com> """

FINDEVENT_LIST = """\
(Machine esa1.example.com)> findevent -f ann@example.org mail_logs
The following matching message IDs were found. Please choose one to
show additional log information:
1. MID 81 (Wed Nov 20 19:47:41 2024) ICID 71 TLS failed
2. MID 82 (Wed Nov 20 19:49:02 2024) lunch
[1]> 1

{lines}
(Machine esa1.example.com)> exit
Connection to esa1.example.com closed.
"""

GREP = """\
esa1.example.com> grep

Currently configured logs:
1. "mail_logs" Type: "IronPort Text Mail Logs" Retrieval: FTP Poll
Enter the number of the log you wish to grep.
[]> 1

Enter the regular expression to grep.
[]> ICID 71|MID 81|DCID 91

Do you want this search to be case insensitive? [Y]> n
Do you want to search for non-matching lines? [N]>
Do you want to tail the logs? [N]>
Do you want to paginate the output? [N]>

{lines}
10 matches found
esa1.example.com> quit
"""

GREP_SHORT = "esa1.example.com> grep -e 'ICID 71 TLS success' mail_logs\n\n{lines}\nesa1.example.com> \n"

TAIL = "esa1.example.com> tail mail_logs\n\nPress Ctrl-C to stop.\n{lines}^C\nesa1.example.com> logout\n"


@pytest.mark.parametrize("session", [FINDEVENT, FINDEVENT_LIST, GREP, GREP_SHORT, TAIL])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_only_the_log_lines_of_a_session_count(session: str, ending: str) -> None:
    """Prompts, questions, answers, lists and counts around the log lines state nothing and hide nothing."""
    expected, _ = read_events(LINES.splitlines())
    assert len(expected) == 10
    found, counts = read_events(session.format(lines=LINES).replace("\n", ending).split("\n"))
    assert found == expected
    assert (counts.events, counts.unreadable) == (10, 0)


def test_a_listed_subject_states_nothing() -> None:
    """The list of matches shows subjects, which strangers choose: a subject in the words of the log is no event."""
    listed = ["1. MID 81 (Wed Nov 20 19:47:41 2024) ICID 71 TLS success", "2. MID 82 Subject 'ICID 5 TLS success'", "[1]> 1"]
    assert read_events(listed)[0] == []
