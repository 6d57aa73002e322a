"""The hook: what an agent runs at each of its events. Hands its input to the governor and prints the governor's answer.

    python3 -I -S hook.py AGENT EVENT  <payload

One self-contained file, copied out of the package, because it must start at once: `import socket` and `import json` each
double the time of a bare Python, so it takes the socket module's C half and never reads the payload, only hands it on.
Nobody there: it starts the governor, keeps the payload for it, and obeys the last order the governor left on disk.
A fault here never breaks the agent: it exits 0, prints nothing and leaves a line in hook.log. But no agent goes on for ever
unheard: once MOST_UNHEARD payloads wait, each event is answered with the stop that lies ready beside this file. Where none can be
kept, a session's events are counted in the temporary folder; where that fails too, the stop comes at once.
"""

import _socket as socket
import os
import sys
import time

LARGEST = 62 * 1024 * 1024
"""Bytes of a payload that is handed on; Gemini's BeforeModel carries the whole conversation. A governor takes 64 MB, with
what is told of the environment."""

LARGEST_KEPT, MOST_KEPT = 1024 * 1024, 500
"""Bytes of a payload that is kept for later, and how many are."""

MOST_UNHEARD = 100
"""Payloads that wait for a governor before an agent is stopped: some fifty tool calls. It took none of them, so none will bound it."""

LARGEST_ANSWER, LARGEST_LOG = 1024 * 1024, 256 * 1024
ANSWER_SECONDS, START_SECONDS, TRY_AGAIN_SECONDS = 8.0, 8.0, 60.0
Answer = tuple[int, float, bytes]
"""Exit code, seconds to wait, what to print."""

BEGINS = ("SessionStart", "UserPromptSubmit", "BeforeAgent")
"""Events at which the governor asks whether the session may begin, and so has to know whom to ask, and who pays."""

VARIABLES = (
    "CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "CLAUDE_CODE_USE_FOUNDRY", "CLAUDE_CODE_USE_ANTHROPIC_AWS",
    "CLAUDE_CODE_USE_ANTHROPIC_GOOGLE_CLOUD", "CLAUDE_CODE_USE_MANTLE", "CLAUDE_CODE_USE_GATEWAY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY",
    "CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CODE_SUBPROCESS_ENV_SCRUB", "CODEX_API_KEY",
)  # fmt: skip
NO = ("", "0", "false", "no", "off")
"""What tells who pays, as `tabstop.agents.*.billing` have it, and what counts as unset."""

SERVER = ("TABSTOP_SERVER", "TABSTOP_TOKEN", "TABSTOP_REPOSITORY", "XDG_CONFIG_HOME", "HOME")
"""What tells which server is asked and whose login counts, as `tabstop.beside.server_access` has it."""

LONGEST_PATH = 100
"""Bytes of a socket's path."""

LONGEST_WAIT = 65.0
"""Seconds; the agents give this hook 90."""

UNBOUND = (
    b'{"systemMessage": "Tabstop: the governor does not answer, so nothing bounds this session from inside. '
    b"Likely cause: the Python it was installed with has moved. Run `tabstop install` again. "
    b"Or Tabstop's state folder cannot be written to: see that it can be. "
    b"Or another process watches this session and hangs: end that one; "
    b'details are in hook.log in that folder."}'
)


def main() -> int:
    """Ask, and print the answer."""
    agent, event = [*sys.argv[1:3], "", ""][:2]
    home, payload, answer = state_folder(), b"", None
    try:
        payload = read_all(0, LARGEST)
        session = os.environ.get("TABSTOP_SESSION") or "-"
        words = f"hook {agent} {event} {session}"
        answer = heard(asking(words, telling(event, payload)), home, f"{agent} {event}")
        if answer:
            count_anew(payload)
        else:
            unheard = keep(home, asking(words, payload), payload)  # as it came: no token lies on a disk
            answer = last_order(home, agent, event, payload)
            if answer is None and unheard >= MOST_UNHEARD:
                answer = ready(f"{os.path.dirname(os.path.abspath(__file__))}/unheard/{agent}/{event}")
            if answer is None and event == "SessionStart":
                answer = 0, 0.0, UNBOUND
    except Exception as error:  # noqa: BLE001 - whatever it is, the agent goes on
        note(home, f"{agent} {event}: {type(error).__name__}: {error}")
    code, wait, text = answer or (0, 0.0, b"")
    if wait > 0:
        time.sleep(min(wait, LONGEST_WAIT))
    while text:
        text = text[os.write(1, text) :]
    return code


def asking(words: str, body: bytes) -> bytes:
    """A request: so many words and the length of what follows, and that."""
    return f"{words} {len(body)}\n".encode() + body


def telling(event: str, payload: bytes) -> bytes:
    """The payload with which of VARIABLES are set in this session, their names only, and with what SERVER are set to.

    These are the payload's first fields, not more words of the request: the governor that runs may be older than this file.
    """
    if event not in BEGINS or payload[:2] != b'{"':
        return payload
    names = " ".join(name for name in VARIABLES if os.environ.get(name, "").strip().lower() not in NO)
    server = " ".join(f"{name}={os.fsencode(os.environ[name]).hex()}" for name in SERVER if name in os.environ)
    return b'{"tabstop_set":"%s","tabstop_environ":"%s",' % (names.encode(), server.encode()) + payload[1:]


def state_folder() -> str:
    """Where the governor keeps what hooks need; as `tabstop.beside.session_folder.sessions_root` has it."""
    environ = os.environ
    if environ.get("TABSTOP_STATE"):
        root = environ["TABSTOP_STATE"]
    elif environ.get("RUNNER_TEMP"):
        root = environ["RUNNER_TEMP"] + "/tabstop"
    else:
        root = (environ.get("XDG_STATE_HOME") or environ.get("HOME", "") + "/.local/state") + "/tabstop"
    return root + "/hooks"


def sockets() -> "tuple[list[str], str]":
    """Who to ask: whoever runs this agent, then the resident governor, as `tabstop.beside.governor_call` has it."""
    given = os.environ.get("TABSTOP_SOCKET")
    if os.environ.get("RUNNER_TEMP") and not os.environ.get("TABSTOP_STATE"):
        own = state_folder() + "/governor.sock"
        if len(os.fsencode(own)) <= LONGEST_PATH:
            return ([given] if given else []), own
    return ([given] if given else []), temporary_folder() + "/governor.sock"


def temporary_folder() -> str:
    """This user's own among the temporary files."""
    folder = next((os.environ[name] for name in ("TMPDIR", "TEMP", "TMP") if os.environ.get(name)), "/tmp")  # noqa: S108
    return f"{folder}/tabstop-{os.getuid()}"


def heard(request: bytes, home: str, about: str) -> "Answer | None":
    """The governor's answer; None when nobody gives one. A governor that fails is as good as none."""
    try:
        return ask(request, home)
    except ValueError as error:
        note(home, f"{about}: {error}")
    except OSError as error:
        note(home, f"{about}: the governor cannot be asked: {type(error).__name__}: {error}")
    return None


def ask(request: bytes, home: str) -> "Answer | None":
    """The governor's answer; None when nobody answers."""
    given, resident = sockets()
    for path in [*given, resident]:
        connection = connect(path, home)
        if connection is not None:
            return talk(connection, request)
    connection = started(resident, home)
    return None if connection is None else talk(connection, request)


def connect(path: str, home: str) -> "socket.socket | None":
    """A connection, or None. A folder that others could have made or could write to is not trusted."""
    try:
        trusted = ours_alone(os.path.dirname(path))
    except OSError:
        return None
    if not trusted:
        note(home, f"{os.path.dirname(path)} is not a folder of this user alone; nobody there is asked")
        return None
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(ANSWER_SECONDS)
    try:
        connection.connect(path)
    except OSError:
        connection.close()
        return None
    return connection


def ours_alone(folder: str) -> bool:
    """Whether it is a folder that only this user can have made or can write to. Raises OSError where there is none."""
    about = os.lstat(folder)
    return about.st_uid == os.getuid() and not about.st_mode & 0o077 and about.st_mode & 0o170000 == 0o040000


def talk(connection: socket.socket, request: bytes) -> "Answer":
    """Hand the request over and read the answer: exit code, seconds to wait and length in the first line, then what to print.

    Spaces before it mean that whoever answers is still there, such as while a person is asked: they are waited for as long as
    they come, which is as long as the agent lets this hook run.
    """
    until = time.monotonic() + LONGEST_WAIT
    answer = b""
    try:
        connection.sendall(request)
        while len(answer) <= LARGEST_ANSWER and time.monotonic() < until:
            part = connection.recv(65536)
            if not part:
                return read_answer(answer)
            answer = (answer + part).lstrip(b" ")
            if not answer:
                until = time.monotonic() + LONGEST_WAIT
    finally:
        connection.close()
    raise ValueError("the answer is too long, or too long in coming")


def read_answer(answer: bytes) -> "Answer":
    """(exit code, seconds, text). Raises ValueError for what is no answer."""
    first, _, text = answer.partition(b"\n")
    words = first.split()
    if len(words) != 3:
        raise ValueError("the governor could not read this payload, or failed over it; governor.log may say why")
    code, wait, length = words
    if int(length) != len(text):
        raise ValueError("the answer was cut off")
    return int(code), float(wait), text


def started(path: str, home: str) -> "socket.socket | None":
    """Start the governor and wait for it; None when there is no way, or it was tried just now."""
    command = read_command()
    if not command:
        return None
    os.makedirs(home, mode=0o700, exist_ok=True)
    mark = home + "/starting"
    try:
        os.close(os.open(mark, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        ours = True
    except FileExistsError:
        age = time.time() - os.stat(mark).st_mtime
        if START_SECONDS < age < TRY_AGAIN_SECONDS:
            return None
        ours = age >= TRY_AGAIN_SECONDS  # else another hook starts it just now
        if ours:
            os.utime(mark)
    child = launch(command, home) if ours else 0
    until = time.monotonic() + START_SECONDS
    while child is not None and time.monotonic() < until:
        connection = connect(path, home)
        if connection is not None:
            try:
                os.unlink(mark)
            except OSError:  # another hook waited too
                pass
            return connection
        if child and os.waitpid(child, os.WNOHANG)[1]:
            child = None  # it ended, and not because another one runs
        time.sleep(0.02)
    if child is None:
        os.utime(mark, (0, time.time() - START_SECONDS - 1))  # nobody need wait for it
    note(home, f"the governor was started and does not answer; governor.log may say why: {command[0]}")
    return None


def read_command() -> "list[str]":
    """How to start the governor: one argument a line, in a file beside this one."""
    try:
        with open(os.path.dirname(os.path.abspath(__file__)) + "/governor.command", encoding="utf-8") as stream:
            return stream.read().split("\n")[:-1]
    except OSError:
        return []


def launch(command: "list[str]", home: str) -> "int | None":
    """Start it so that it outlives this hook and its agent, and holds none of their files open. Its process id, None for none."""
    log = home + "/governor.log"
    files = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    try:
        return os.posix_spawn(command[0], command, os.environ, file_actions=files, setsid=True)
    except OSError as error:
        note(home, f"{command[0]} cannot be run: {error.strerror}")
        return None


def last_order(home: str, agent: str, event: str, payload: bytes) -> "Answer | None":
    """What the governor left to be answered at this event while it is away; None, unless it said stop."""
    return ready(f"{home}/standing/{agent}-{session_of(payload)}/{event}")


def ready(path: str) -> "Answer | None":
    """An answer that lies ready in a file; None where there is none."""
    try:
        with open(path, "rb") as stream:
            return read_answer(stream.read(LARGEST_ANSWER))
    except (OSError, ValueError):
        return None


def session_of(payload: bytes) -> str:
    """The agent's own session id. Quotes inside a JSON text are escaped, so this finds no text that only looks like it."""
    rest = payload[:65536].partition(b'"session_id"')[2].lstrip(b" \t\r\n:")
    found = rest[1:200].partition(b'"')[0].decode("ascii", "replace") if rest[:1] == b'"' else ""
    return found if found.replace("-", "").replace("_", "").isalnum() else "unknown"


def keep(home: str, request: bytes, payload: bytes) -> int:
    """Keep the request until a governor takes it; how many wait now. One that is too long is only counted.

    So is what a full disk does not take, and where no file can be made, the session's events are counted elsewhere.
    """
    if len(request) > LARGEST_KEPT:
        note(home, f"nobody took a payload of {len(request)} bytes; it is too long to be kept")
        request = b"too long\n"
    folder = home + "/waiting"
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        waiting = len(os.listdir(folder))
    except OSError as error:
        note(home, f"a payload that nobody took cannot be kept: {error}")
        return counted_elsewhere(payload)
    if waiting >= MOST_KEPT:
        note(home, f"nobody takes payloads; {MOST_KEPT} wait already, and this one is dropped")
        return waiting
    name = f"{time.time_ns():020d}-{os.getpid()}"
    try:
        with open(f"{folder}/.{name}", "xb", opener=privately) as stream:
            stream.write(request)
    except OSError as error:
        note(home, f"a payload that nobody took cannot be kept: {error}")
    try:
        os.rename(f"{folder}/.{name}", f"{folder}/{name}")
    except OSError:
        return waiting + counted_elsewhere(payload)
    return waiting + 1


def counted_elsewhere(payload: bytes) -> int:
    """This session's events that nobody took and that could not be kept; MOST_UNHEARD where they cannot be counted either."""
    path = count_of(payload)
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        if not ours_alone(os.path.dirname(path)):
            return MOST_UNHEARD
        with open(path, "ab", buffering=0, opener=privately) as stream:
            stream.write(b".")
            return stream.tell()
    except OSError:
        return MOST_UNHEARD


def count_anew(payload: bytes) -> None:
    """Somebody took one: whatever went unheard before is over."""
    try:
        os.unlink(count_of(payload))
    except OSError:  # as a rule there is none
        return


def count_of(payload: bytes) -> str:
    """The file with one byte for each event of this session that could not be kept."""
    return f"{temporary_folder()}/unheard-{session_of(payload)}"


def note(home: str, text: str) -> None:
    """A line for people, in a file that does not grow without end."""
    try:
        os.makedirs(home, mode=0o700, exist_ok=True)
        with open(home + "/hook.log", "a", encoding="utf-8", errors="replace", opener=privately) as stream:
            if stream.tell() > LARGEST_LOG:
                stream.truncate(0)
            stream.write(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {text[:500]}\n")
    except OSError:
        return


def privately(path: str, flags: int) -> int:
    """Open for this user only."""
    return os.open(path, flags, 0o600)


def read_all(descriptor: int, most: int) -> bytes:
    """Everything, up to so many bytes. Raises ValueError for more."""
    parts, size = [], 0
    while part := os.read(descriptor, 1 << 20):
        parts.append(part)
        size += len(part)
        if size > most:
            raise ValueError(f"the payload is longer than {most} bytes")
    return b"".join(parts)


if __name__ == "__main__":
    os._exit(main())  # nothing is left to be cleaned up, and cleaning up takes a millisecond
