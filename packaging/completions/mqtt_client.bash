# bash completion for mqtt_client
_mqtt_client() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
    case $previous in
        --password-file|--replies|--roster|--page|--report|--cafile|--cert|--key)
            mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --state-dir|--commands|--actions)
            mapfile -t COMPREPLY < <(compgen -d -- "$current"); return ;;
        -h|--host)
            mapfile -t COMPREPLY < <(compgen -A hostname -- "$current"); return ;;
        -q|--qos)
            mapfile -t COMPREPLY < <(compgen -W "0 1 2" -- "$current"); return ;;
        --presence-end)
            mapfile -t COMPREPLY < <(compgen -W "offline clear" -- "$current"); return ;;
        -p|--port|-L|--url|-i|--id|-k|--keepalive|-W|--timeout|--reconnect-delay|-u|--username|-P|--password|--again|--delay|--program-time|--program-output|--programs-at-once|--seed|--sessions|--prefix|--share|--presence)
            return ;;
    esac
    local words="device controller responder request fleet doctor judge demo uppercase lowercase title-case reverse shuffle"
    if [[ $current == -* ]]; then
        words="--host --port --url --tls --cafile --cert --key --id --keepalive --timeout --reconnect-delay --service --username --password-file
            --password --qos --lines --replies --again --state-dir --sync --commands --delay --seed --sessions --roster --page --report --prefix --verdict --share
            --actions --program-time --program-output --programs-at-once --at-most-once --any-action
            --presence --presence-end --once --json --verbose --quiet --help --version"
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -F _mqtt_client mqtt_client
