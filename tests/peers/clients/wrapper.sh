#!/bin/sh
# A right client: mosquitto_rr, with the course's command line around it.
usage="usage: $0 [--help] [-v] [--host HOST] [-p PORT] NETID ACTION MESSAGE"
host=localhost
port=1883
while :; do
    case $1 in
        --help) echo "$usage"; exit 0 ;;
        -v) shift ;;
        --host) host=$2; shift 2 ;;
        -p) port=$2; shift 2 ;;
        *) break ;;
    esac
done
if [ $# -ne 3 ]; then
    echo "$usage" >&2
    exit 2
fi
case $2 in
    uppercase|lowercase|title-case|reverse|shuffle) ;;
    *) echo "$0: no such action: $2" >&2; exit 2 ;;
esac
if [ -z "$3" ]; then
    set -- "$1" "$2" -n
else
    set -- "$1" "$2" -m "$3"
fi
net_id=$1
action=$2
shift 2
exec mosquitto_rr -h "$host" -p "$port" -i "$net_id" -q 1 -W 10 -V mqttv311 \
    -t "$net_id/$action/request" -e "$net_id/$action/response" "$@"
