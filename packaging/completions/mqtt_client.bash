# bash completion for mqtt_client. It does not need the package bash-completion; where that is there, it completes the client
# of judge.

# Whether the word after this option is its value.
_mqtt_client_takes_value() {
    case $1 in
        -h|--host|-p|--port|-L|--url|-i|--id|-k|--keepalive|-W|--timeout|--reconnect-delay) ;;
        -u|--username|--password-file|-P|--password|--cafile|--cert|--key|-q|--qos) ;;
        --replies|--again|--state-dir|--commands|--delay|--seed|--sessions|--roster|--page|--report) ;;
        --prefix|--share|--presence|--presence-end|--actions) ;;
        --program-time|--program-output|--programs-at-once) ;;
        *) return 1 ;;
    esac
}

# Whether the command on the command line is one of these. Where none is there yet, any may come.
_mqtt_client_for() {
    local command
    [[ ${#commands[@]} -eq 0 ]] && return
    for command in "${commands[@]}"; do
        [[ " $* " == *" $command "* ]] && return
    done
    return 1
}

# What there is for a word of judge's client, whose own word is at this position.
_mqtt_client_judged() {
    if declare -F _command_offset >/dev/null; then
        _command_offset "$1"
        return
    fi
    compopt -o default
    [[ $1 -lt $COMP_CWORD || $2 == */* ]] || mapfile -t COMPREPLY < <(compgen -c -- "$2")
}

_mqtt_client() {
    local current=${COMP_WORDS[COMP_CWORD]}
    local at word option="" is_literal="" words=() commands=() offered
    COMPREPLY=()

    # Of what stands before: the words that are neither options nor their values, and the option whose value is asked for.
    for ((at = 1; at < COMP_CWORD; at++)); do
        word=${COMP_WORDS[at]}
        if [[ $word == [:=]* ]]; then
            # bash makes three words of HOST:PORT.
            ((at++))
        elif [[ $word == -- && -z $is_literal ]]; then
            is_literal=yes
        elif [[ $word != -?* || -n $is_literal ]]; then
            [[ ${words[0]} == judge ]] && break
            words+=("$word")
        elif _mqtt_client_takes_value "$word"; then
            [[ ${COMP_WORDS[at+1]} == = ]] && ((at++))
            ((++at < COMP_CWORD)) || option=$word
        fi
    done
    [[ $current == = ]] && current=""

    case $option in
        "") ;;
        --password-file|--cafile|--cert|--key|--replies|--roster|--page|--report)
            compopt -o default
            return ;;
        --state-dir|--commands|--actions)
            compopt -o dirnames
            return ;;
        -h|--host)
            mapfile -t COMPREPLY < <(compgen -A hostname -- "$current")
            return ;;
        -q|--qos)
            mapfile -t COMPREPLY < <(compgen -W "0 1 2" -- "$current")
            return ;;
        --presence-end)
            mapfile -t COMPREPLY < <(compgen -W "offline clear" -- "$current")
            return ;;
        *)
            return ;;
    esac

    if [[ ${words[0]} == judge && ( $current != -* || $at -lt $COMP_CWORD || -n $is_literal ) ]]; then
        _mqtt_client_judged "$at" "$current"
        return
    fi

    offered="request device controller responder fleet doctor judge demo"
    if [[ ${words[0]} == doctor ]]; then
        words=("${words[@]:1}") commands=(doctor)
        offered="request device controller responder"
    fi
    case ${words[0]} in
        "") ;;
        device)
            commands+=(device) offered=""
            [[ ${#words[@]} -eq 1 ]] && offered="%H" ;;
        controller|responder|fleet|judge|demo)
            commands+=("${words[0]}") offered="" ;;
        *)
            [[ ${words[0]} == request ]] && words=("${words[@]:1}")
            commands+=(request) offered=""
            [[ ${#words[@]} -eq 1 ]] && offered="uppercase lowercase title-case reverse shuffle" ;;
    esac

    if [[ $current == -* && -z $is_literal ]]; then
        offered="--verbose --quiet --help --version"
        _mqtt_client_for request device controller responder fleet doctor &&
            offered+=" --host --port --url --id --keepalive --reconnect-delay
                --username --password-file --password --tls --cafile --cert --key --qos"
        _mqtt_client_for request device controller responder fleet doctor judge && offered+=" --timeout"
        _mqtt_client_for fleet doctor judge && offered+=" --json"
        _mqtt_client_for request && offered+=" --lines --any-action"
        _mqtt_client_for device && offered+=" --again"
        _mqtt_client_for device controller && offered+=" --replies --commands --prefix --verdict"
        _mqtt_client_for device controller responder && offered+=" --state-dir --sync --presence --presence-end"
        _mqtt_client_for device responder &&
            offered+=" --program-time --program-output --programs-at-once --at-most-once"
        _mqtt_client_for controller && offered+=" --delay --seed --sessions --roster --page --report"
        _mqtt_client_for controller responder && offered+=" --share"
        _mqtt_client_for responder && offered+=" --actions"
        _mqtt_client_for fleet && offered+=" --once"
        _mqtt_client_for doctor && offered+=" --service"
    fi
    mapfile -t COMPREPLY < <(compgen -W "$offered" -- "$current")
}
complete -F _mqtt_client mqtt_client
