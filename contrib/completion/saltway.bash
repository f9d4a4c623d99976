# Completion of saltway(8) in bash. Where nothing is offered, readline offers files.

# shellcheck shell=bash disable=SC2207

# The links that have a configuration.
_saltway_configured() {
  local file
  for file in /etc/saltway/*.conf; do
    [ ! -f "$file" ] || basename "$file" .conf
  done
}

# The links that run in this network namespace.
_saltway_running() {
  local directory=${XDG_RUNTIME_DIR:-}/saltway socket suffix
  [ "$EUID" != 0 ] || directory=/run/saltway
  suffix=@$(stat -L -c %i /proc/self/ns/net).sock
  for socket in "${RUNTIME_DIRECTORY:-$directory}"/*"$suffix"; do
    [ ! -S "$socket" ] || basename "$socket" "$suffix"
  done
}

_saltway() {
  local word=${COMP_WORDS[COMP_CWORD]} offered=''
  if [ "$COMP_CWORD" = 1 ]; then
    offered=$("${COMP_WORDS[0]}" --help 2>/dev/null | sed -n 's/^  saltway \([a-z][a-z]*\) .*/\1/p')
    COMPREPLY=($(compgen -W "$offered --help --version" -- "$word"))
    return
  fi
  case ${COMP_WORDS[COMP_CWORD - 1]} in
    -o | -t | --port | --networks* | --name | --host | --peer) return ;;
  esac
  case ${COMP_WORDS[1]} in
    check | up) offered=$(_saltway_configured) ;;
    reload | down) offered=$(_saltway_running) ;;
    status) offered="--json --metrics --watch $(_saltway_running)" ;;
    test) offered="--listen --keep --json -t $(_saltway_running)" ;;
    bench) offered=--json ;;
    doctor) offered=$( (_saltway_configured; _saltway_running) | sort -u) ;;
    pair) offered='-o --port --networks-a --networks-b' ;;
    import) offered='-o --name --host --networks --peer' ;;
  esac
  COMPREPLY=($(compgen -W "$offered" -- "$word"))
}

complete -o default -F _saltway saltway
