# The bash worker: sources the script of the handler once and serves invocations as docs/worker-protocol.md says.
#
# `hello.handler` is function `handler` of hello.sh (or hello.bash). It gets the event as $1 and on stdin; what it prints
# is the response, stderr is the log. Its output goes to an unlinked file that is read back, so a call costs no fork.
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

# _ogni_error KIND TYPE MESSAGE TRACE
_ogni_error() {
  local LC_ALL=C
  local head="type=$2"$'\n'"message_bytes=${#3}"$'\n' body=$3$'\n'$4
  builtin printf '%s %d %d\n%s%s' "$1" "${#head}" "${#body}" "$head" "$body" >&"$_ogni_replies"
}

_ogni_refuse() {
  builtin printf '%s\n' "[ERROR] $1: $2" >&2
  _ogni_error init-error "$1" "$2" ''
  builtin exit 1
}

_ogni_receive() {
  local LC_ALL=C IFS=' ' kind head_bytes body_bytes rest line value
  builtin read -r -u "$_ogni_requests" kind head_bytes body_bytes || builtin exit 0
  builtin read -r -N "$head_bytes" -u "$_ogni_requests" rest
  _ogni_event=
  ((body_bytes == 0)) || IFS='' builtin read -r -N "$body_bytes" -u "$_ogni_requests" _ogni_event
  unset -v _X_AMZN_TRACE_ID LAMBDA_RUNTIME_CLIENT_CONTEXT LAMBDA_RUNTIME_COGNITO_IDENTITY LAMBDA_RUNTIME_AWS_TENANT_ID
  _ogni_request_id=
  while [[ -n $rest ]]; do
    line=${rest%%$'\n'*} rest=${rest#*$'\n'}
    value=${line#*=}
    case ${line%%=*} in
      request_id) export LAMBDA_RUNTIME_AWS_REQUEST_ID=$value _ogni_request_id=$value ;;
      deadline_ms) export LAMBDA_RUNTIME_DEADLINE_MS=$value ;;
      invoked_function_arn) export LAMBDA_RUNTIME_INVOKED_FUNCTION_ARN=$value ;;
      trace_id) export _X_AMZN_TRACE_ID=$value ;;
      client_context) export LAMBDA_RUNTIME_CLIENT_CONTEXT=$value ;;
      cognito_identity) export LAMBDA_RUNTIME_COGNITO_IDENTITY=$value ;;
      tenant_id) export LAMBDA_RUNTIME_AWS_TENANT_ID=$value ;;
    esac
  done
}

# What the handler printed, cut at its NUL bytes, which no variable can hold.
_ogni_collect() {
  local last
  builtin printf x >>"/proc/self/fd/$_ogni_output" # a part ends the array even after a final NUL
  builtin mapfile -d '' _ogni_parts <"/proc/self/fd/$_ogni_output"
  last=$((${#_ogni_parts[@]} - 1))
  _ogni_parts[last]=${_ogni_parts[last]%x}
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
    [[ -z ${LAMBDA_RESPONSE_CONTENT_TYPE-} ]] || head="content_type=$LAMBDA_RESPONSE_CONTENT_TYPE"$'\n'
  fi
  builtin printf '%s %d %d\n%s%s' "$kind" "${#head}" "${#body}" "$head" "$body" >&"$_ogni_replies"
}

_ogni_answer() {
  local LC_ALL=C kind=result head='' bytes=0 last part
  _ogni_collect
  [[ -z ${LAMBDA_RESPONSE_CONTENT_TYPE-} ]] || head="content_type=$LAMBDA_RESPONSE_CONTENT_TYPE"$'\n'
  last=$((${#_ogni_parts[@]} - 1))
  [[ $_ogni_state == begun ]] && kind=end head=''
  if ((last == 0)); then
    builtin printf '%s %d %d\n%s%s' "$kind" "${#head}" "${#_ogni_parts}" "$head" "$_ogni_parts" >&"$_ogni_replies"
    return
  fi
  for part in "${_ogni_parts[@]}"; do ((bytes += ${#part} + 1)); done
  builtin printf '%s %d %d\n%s' "$kind" "${#head}" "$((bytes - 1))" "$head" >&"$_ogni_replies"
  builtin printf '%s\0' "${_ogni_parts[@]:0:last}" >&"$_ogni_replies"
  builtin printf '%s' "${_ogni_parts[last]}" >&"$_ogni_replies"
}

_ogni_report() {
  local LC_ALL=C type message
  _ogni_collect
  message=${_ogni_parts[0]%$'\n'}
  if [[ $_ogni_end == exit ]]; then
    type=Runtime.ExitError
    message="RequestId: $_ogni_request_id Error: Runtime exited with error: exit status $_ogni_status"
  else
    type=HandlerFailed
    [[ -n $message ]] || message="$_ogni_function failed with status $_ogni_status"
  fi
  builtin printf '%s\n' "[ERROR] $type: $message" "${_ogni_trace%$'\n'}" >&2
  _ogni_error error "$type" "$message" "$_ogni_trace"
}

# --- the handler ---------------------------------------------------------------------------------------------------

# Whether anything has forked since this was asked last, by the newest process id that was given away; also when it
# cannot be told. No fork itself.
_ogni_is_forked() {
  local IFS=' ' last=$_ogni_newest
  _ogni_newest=
  [[ ! -r /proc/loadavg ]] || builtin read -r _ _ _ _ _ogni_newest </proc/loadavg
  [[ -z $last || $last != "$_ogni_newest" ]]
}

# Whether a process is here that was not when this was asked last; also when it cannot be told.
_ogni_is_company() {
  local IFS=' ' process='' old=" ${_ogni_processes-} " new=no
  local processes=(/proc/[0-9]*)
  _ogni_processes="${processes[*]-}"
  [[ $old == *" /proc/$_ogni_pid "* && " $_ogni_processes " == *" /proc/$_ogni_pid "* ]] || return 0
  for process in "${processes[@]}"; do
    [[ $old == *" $process "* ]] || new=yes
  done
  [[ $new == yes ]]
}

# Ready for the next call: a child left behind may still use the files of the last one.
_ogni_clean() {
  _ogni_is_forked && _ogni_is_company || return 0
  eval "exec $_ogni_input<&- $_ogni_output<&- $_ogni_begun<&-"
  _ogni_prepare again
  _ogni_is_forked
}

_ogni_prepare() {
  # What the bootstrap has given, else unlinked files: a call costs no fork. Files of a disk are slow to truncate, and
  # what a here-document is kept in may only be read by its user.
  local files=("${TMPDIR:-/tmp}/ogni-$$-$SRANDOM".{in,out,begun})
  if [[ $1 == first && -f /proc/self/fd/6 && -f /proc/self/fd/7 && -f /proc/self/fd/8 ]]; then
    exec {_ogni_input}<>/proc/self/fd/6 {_ogni_output}<>/proc/self/fd/7 {_ogni_begun}<>/proc/self/fd/8 6<&- 7<&- 8<&-
  else
    exec {_ogni_input}<>"${files[0]}" {_ogni_output}<>"${files[1]}" {_ogni_begun}<>"${files[2]}"
    command -p rm -f -- "${files[@]}"
  fi
  # The numbers are written out: a redirection of a function then hides the private descriptors from its children.
  local hidden="$_ogni_requests<&- $_ogni_replies>&-"
  [[ ${LAMBDA_STREAMING-} == yes ]] && hidden="$_ogni_requests<&-"
  eval '_ogni_run() { "$_ogni_function" "$_ogni_event" '"\
    <'/proc/self/fd/$_ogni_input' >|'/proc/self/fd/$_ogni_output' $hidden; }"
}

_ogni_call() {
  LAMBDA_RESPONSE_CONTENT_TYPE= _ogni_end='' _ogni_trace='' _ogni_status=0
  builtin printf %s "$_ogni_event" >|"/proc/self/fd/$_ogni_input"
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
  _ogni_stream_state
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

exec {_ogni_requests}<&3 {_ogni_replies}>&4 3<&- 4>&- 5<&-
_ogni_load
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
_ogni_newest=
_ogni_is_company
_ogni_prepare first
_ogni_is_forked
builtin printf 'ready 13 0\nnul_bytes=no\n' >&"$_ogni_replies"
while true; do
  _ogni_receive
  _ogni_call
  if ((_ogni_status == 0)); then _ogni_answer; else _ogni_report; fi
  _ogni_clean
done
