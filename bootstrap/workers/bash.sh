# The bash worker: sources the script of the handler once and serves invocations as docs/worker-protocol.md says, in its form for bash.
#
# `hello.handler` is function `handler` of hello.sh (or hello.bash). It gets the event as $1 and on stdin; what it prints
# is the response, stderr is the log. Its output goes to a file in memory that the bootstrap reads, so a call costs no fork.
# A status other than 0 is an error, whose message is what was printed. `exit` and a failure under `set -e` end the call,
# not the shell: `exit 0` answers with the output so far. LAMBDA_RESPONSE_CONTENT_TYPE may name the type of a response.
# A script that sets LAMBDA_STREAMING=yes may call `lambda_write TEXT...`: each sends a piece of a streamed response at once,
# and what was printed beside that is its end.
#
# The handler's own settings (set -eu, IFS, functions named like builtins) reach this code, which is written to bear them.

_ogni_pid=$$
_ogni_busy=  # set while the handler runs
_ogni_end=   # how the call was cut short: "exit" or "failure"

# --- ending a call early -------------------------------------------------------------------------------------------

# Under extdebug a DEBUG trap that returns 2 returns from the function at hand: from all of them up to our own.
_ogni_gate() {
  [[ $1 == _ogni_* || $1 == exit ]] && return 0
  return 2
}

_ogni_unwind() {
  _ogni_end=$1 _ogni_status=$2
  set +e
  trap '_ogni_gate "${FUNCNAME[0]-}"' DEBUG
  shopt -s extdebug
}

exit() {
  local status=${1:-$?}
  [[ -n $_ogni_busy && $BASHPID == "$_ogni_pid" && -z $_ogni_end ]] || builtin exit "$status"
  _ogni_note "exit $status"
  _ogni_unwind exit "$status"
}

# Remembers where a command failed; the last one before the handler gives up is the stack trace. A failure that only
# passes through the caller of where it was is the same one.
_ogni_note() {
  local trace='' frame i
  for ((i = 2; i < ${#FUNCNAME[@]}; ++i)); do
    [[ ${FUNCNAME[i]} == _ogni_* ]] && break
    frame="at ${FUNCNAME[i]} (${BASH_SOURCE[i]}:${BASH_LINENO[i - 1]})"
    ((i > 2)) || frame+=": $1"
    trace+=$frame$'\n'
  done
  [[ -n $trace && $_ogni_trace == *$'\n'"${trace/: "$1"}" ]] || _ogni_trace=$trace
}

_ogni_failed() {
  local status=$1
  [[ -n $_ogni_busy && -z $_ogni_end && $BASHPID == "$_ogni_pid" ]] || return 0
  [[ ${FUNCNAME[1]-} == _ogni_* ]] || _ogni_note "$2"
  [[ $- == *e* ]] && _ogni_unwind failure "$status"
  return 0
}

# --- the protocol --------------------------------------------------------------------------------------------------

# _ogni_error KIND TYPE MESSAGE TRACE [MORE-OF-THE-HEAD]
_ogni_error() {
  local LC_ALL=C
  local head="type=$2"$'\n'"message_bytes=${#3}"$'\n'${5-} body=$3$'\n'$4
  builtin printf '%s %d %d\n%s%s' "$1" "${#head}" "${#body}" "$head" "$body" >&"$_ogni_replies"
}

_ogni_refuse() {
  builtin printf '%s\n' "[ERROR] $1: $2" >&2
  _ogni_error init-error "$1" "$2" ''
  builtin exit 1
}

# What the bootstrap sends calls these. _ogni_set REQUEST-ID DEADLINE EVENT [TRACE-ID CLIENT-CONTEXT IDENTITY TENANT]
_ogni_set() {
  [[ -z ${_X_AMZN_TRACE_ID+x} ]] || builtin unset -v _X_AMZN_TRACE_ID
  [[ -z ${LAMBDA_RUNTIME_CLIENT_CONTEXT+x}${LAMBDA_RUNTIME_COGNITO_IDENTITY+x}${LAMBDA_RUNTIME_AWS_TENANT_ID+x} ]] ||
    builtin unset -v LAMBDA_RUNTIME_CLIENT_CONTEXT LAMBDA_RUNTIME_COGNITO_IDENTITY LAMBDA_RUNTIME_AWS_TENANT_ID
  builtin export "LAMBDA_RUNTIME_AWS_REQUEST_ID=$1" "LAMBDA_RUNTIME_DEADLINE_MS=$2" \
    "LAMBDA_RUNTIME_INVOKED_FUNCTION_ARN=$_ogni_arn"
  _ogni_request_id=$1 _ogni_event=$3
  (($# > 3)) || return 0
  [[ -z $4 ]] || builtin export "_X_AMZN_TRACE_ID=$4"
  [[ -z $5 ]] || builtin export "LAMBDA_RUNTIME_CLIENT_CONTEXT=$5"
  [[ -z $6 ]] || builtin export "LAMBDA_RUNTIME_COGNITO_IDENTITY=$6"
  [[ -z $7 ]] || builtin export "LAMBDA_RUNTIME_AWS_TENANT_ID=$7"
}

# _ogni_read BYTES: a long event.
_ogni_read() {
  local LC_ALL=C
  builtin read -r -N "$1" _ogni_event <"/proc/self/fd/$_ogni_input"
}

# _ogni_more LENGTH: commands that are longer than the first block.
_ogni_more() {
  builtin read -r -N "$1" -u "$_ogni_requests" _ogni_commands
  builtin eval "$_ogni_commands"
}

# A file says whose stream it is and whether it has begun: a subshell may have begun it, or be one of an earlier call.
_ogni_stream_state() {
  local IFS=' ' id=''
  _ogni_state=
  [[ ${LAMBDA_STREAMING-} == yes ]] || return 1
  builtin read -r id _ogni_state <"/proc/self/fd/$_ogni_begun"
  [[ -n $id && $id == "$_ogni_request_id" ]]
}

lambda_write() {
  local LC_ALL=C kind=chunk head='' body="$*"
  if [[ ${LAMBDA_STREAMING-} != yes ]]; then
    builtin printf '%s\n' 'lambda_write: LAMBDA_STREAMING=yes must be set where the script begins' >&2
    return 1
  fi
  if ! _ogni_stream_state; then
    builtin printf '%s\n' 'lambda_write: the response has ended' >&2
    return 1
  fi
  if [[ $_ogni_state != begun ]]; then
    builtin printf '%s begun' "$_ogni_request_id" >|"/proc/self/fd/$_ogni_begun"
    kind=stream
    [[ -z ${LAMBDA_RESPONSE_CONTENT_TYPE-} ]] || head="content_type=${LAMBDA_RESPONSE_CONTENT_TYPE//[$'\r\n']/ }"$'\n'
  fi
  builtin printf '%s %d %d\n%s%s' "$kind" "${#head}" "${#body}" "$head" "$body" >&"$_ogni_replies"
}

# The bootstrap reads what the handler printed. One line is one system call.
_ogni_answer() {
  if [[ -z ${LAMBDA_RESPONSE_CONTENT_TYPE-} ]]; then
    builtin printf 'printed 0 0\n' >&"$_ogni_replies"
    return
  fi
  local LC_ALL=C
  local head="content_type=${LAMBDA_RESPONSE_CONTENT_TYPE//[$'\r\n']/ }"$'\n'
  builtin printf 'printed %d 0\n%s' "${#head}" "$head" >&"$_ogni_replies"
}

_ogni_report() {
  local LC_ALL=C type message='' more=''
  builtin read -r -N 268435456 message <"/proc/self/fd/$_ogni_output"
  message=${message%$'\n'}
  if [[ $_ogni_end == exit ]]; then
    type=Runtime.ExitError
    message="RequestId: $_ogni_request_id Error: Runtime exited with error: exit status $_ogni_status"
  else
    type=HandlerFailed
    [[ -n $message ]] || message="$_ogni_function failed with status $_ogni_status" more=$'stderr=yes\n'
  fi
  builtin printf '%s\n' "[ERROR] $type: $message" "${_ogni_trace%$'\n'}" >&2
  _ogni_error error "$type" "$message" "$_ogni_trace" "$more"
}

# --- the handler ---------------------------------------------------------------------------------------------------

# _ogni_run calls the handler. The numbers are written out, so that nothing is expanded within its redirections.
_ogni_prepare() {
  eval '_ogni_run() { "$_ogni_function" "$_ogni_event"; }'" <$1 >&$_ogni_output"
}

# The bootstrap asks for it where a process was left behind that may still use the files of the last call. It does not see
# how far the new ones have been read.
_ogni_renew() {
  eval "exec $_ogni_input<&- $_ogni_output>&-"
  exec {_ogni_input}<"$1" {_ogni_output}>>"$2" || builtin exit 1
  _ogni_prepare "/proc/self/fd/$_ogni_input"
}

# Moves descriptor $1 to where programs do not inherit it: what the shell keeps aside while a redirection lasts is closed on
# exec, and so is a copy of that. The number is _ogni_hidden.
_ogni_hide() {
  local kept
  eval "exec {kept}<&$1"
  eval "_ogni_seek() { _ogni_find; } $1<&-"
  _ogni_seek
  eval "exec $1<&-"
  if [[ -n $_ogni_hidden ]]; then eval "exec $kept<&-"; else _ogni_hidden=$kept; fi
}

_ogni_find() {
  local number
  _ogni_hidden=
  for ((number = 10; number < 100; ++number)); do
    [[ $number != "$kept" && /proc/self/fd/$number -ef /proc/self/fd/$kept ]] || continue
    exec {_ogni_hidden}<&"$number"
    return
  done
}

_ogni_call() {
  LAMBDA_RESPONSE_CONTENT_TYPE= _ogni_end='' _ogni_trace='' _ogni_status=0
  [[ ${LAMBDA_STREAMING-} != yes ]] || builtin printf '%s ' "$_ogni_request_id" >|"/proc/self/fd/$_ogni_begun"
  _ogni_busy=1
  [[ $_ogni_flags == *e* ]] && set -e
  _ogni_run
  _ogni_result=$?
  if [[ -n $_ogni_end ]]; then
    trap - DEBUG
    shopt -u extdebug
    set -E
    [[ $_ogni_end == failure ]] && _ogni_flags+=e
  else
    _ogni_status=$_ogni_result
    _ogni_flags=$-
    set +e
  fi
  _ogni_busy=
  # From here on nobody may add to the stream.
  [[ ${LAMBDA_STREAMING-} != yes ]] || : >|"/proc/self/fd/$_ogni_begun"
}

_ogni_load() {
  local name=${_HANDLER:-} file found=
  [[ $name == ?*.?* ]] || _ogni_refuse Runtime.MalformedHandlerName "Bad handler '$name': it is no script.function"
  _ogni_function=${name##*.}
  for file in "${LAMBDA_TASK_ROOT:-.}/${name%.*}".{sh,bash}; do
    [[ -f $file ]] && found=$file && break
  done
  [[ -n $found ]] || _ogni_refuse Runtime.ImportModuleError "Unable to load '${name%.*}': there is no ${name%.*}.sh"
  _ogni_file=$found
}

_ogni_hide 3 && _ogni_requests=$_ogni_hidden
_ogni_hide 4 && _ogni_replies=$_ogni_hidden
exec {_ogni_input}<&6 {_ogni_output}>&7 {_ogni_begun}<&8 5<&- 6<&- 7>&- 8<&-
_ogni_load
# What $0 is, from bash 5.0 on: the descriptor that this is read from has no folder beside it.
# shellcheck disable=SC2034
BASH_ARGV0=$_ogni_file
# Not in a function, where `declare` in the script would make locals.
# shellcheck source=/dev/null
source "$_ogni_file"
_ogni_status=$?
_ogni_flags=$-
set +e
if ((_ogni_status != 0)) && ! _ogni_trace=$("$BASH" -n "$_ogni_file" 2>&1); then
  _ogni_refuse Runtime.UserCodeSyntaxError "$_ogni_trace"
fi
declare -F "$_ogni_function" >/dev/null ||
  _ogni_refuse Runtime.HandlerNotFound "Handler '$_ogni_function' is no function of $_ogni_file"
set -E
trap '_ogni_failed $? "$BASH_COMMAND"' ERR
_ogni_arn=
_ogni_prepare "&$_ogni_input"
builtin printf 'ready 23 0\nnul_bytes=no\nform=bash\n' >&"$_ogni_replies"
# Its time limit is the handler's TMOUT, which may be readonly; one of its own would cost each invocation.
while builtin read -r -N 256 -u "$_ogni_requests" _ogni_commands ||
  { (($? > 128)) && builtin read -t 2147483647 -r -N 256 -u "$_ogni_requests" _ogni_commands; }; do
  builtin eval "$_ogni_commands"
  _ogni_call
  if ((_ogni_status == 0)); then _ogni_answer; else _ogni_report; fi
done
builtin exit 0
