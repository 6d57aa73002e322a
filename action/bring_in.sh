#!/usr/bin/env bash
# Starts `command: bring-in`: makes an environment of its own with what requirements/action.txt locks, and runs the command
# with that environment's Python. gate and settle need none of this.
set -euo pipefail
action=$(cd "$(dirname "$0")/.." && pwd -P)
lock=$action/requirements/action.txt
venv=${RUNNER_TEMP:?}/tabstop-bring-in

cannot() {
  printf '::error title=Tabstop%%3A bring-in cannot start::%s\n' "$1"
  exit 2
}

# Packages are installed without the job's tokens in reach; -I keeps the workspace out of Python's way.
without_tokens() {
  env -u TABSTOP_INPUT_GITHUB_TOKEN -u ACTIONS_ID_TOKEN_REQUEST_TOKEN -u ACTIONS_RUNTIME_TOKEN "$@"
}

if ! without_tokens python3 -I -S -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  exec python3 -I -S "$action/action/start.py" # says what to do about an old Python
fi

# A second step of the same job finds it there.
wanted=$(cksum <"$lock")
if [ "$(cat "$venv/installed" 2>/dev/null)" != "$wanted" ]; then
  rm -rf "$venv"
  if ! without_tokens python3 -I -m venv "$venv"; then
    cannot "This runner's python3 cannot make a virtual environment; on Debian and Ubuntu the package python3-venv is missing. A step with actions/setup-python before this one helps."
  fi
  if ! without_tokens "$venv/bin/python" -I -m pip install -qq --disable-pip-version-check --no-input --no-deps --only-binary :all: \
    --require-hashes --requirement "$lock"; then
    cannot 'PyGithub could not be installed; the log has what pip said. Likely cause: the package index was not reached, or has other files than those this action was tested with. Nothing is lost: the next run brings the reports in.'
  fi
  printf '%s\n' "$wanted" >"$venv/installed"
fi

exec "$venv/bin/python" -I "$action/action/start.py"
