# fish completion for mqtt_client

# What stands before the word that is completed, without the options and their values: a command, and what follows it.
function __mqtt_client_words
    set -l words (commandline -opc)
    set -l has_value no
    set -l is_literal no
    set -l is_judged no
    for word in $words[2..-1]
        if test $is_judged = yes
            printf '%s\n' $word
        else if test $has_value = yes
            set has_value no
        else if test $is_literal = yes; or not string match -q -- '-?*' $word
            printf '%s\n' $word
            # What follows the client of judge is the client's.
            set -a free $word
            test "$free[1]" = judge -a (count $free) -eq 2; and set is_judged yes
        else
            switch $word
                case --
                    set is_literal yes
                case -h --host -p --port -L --url -i --id -k --keepalive -W --timeout --reconnect-delay
                    set has_value yes
                case -u --username --password-file -P --password --cafile --cert --key -q --qos
                    set has_value yes
                case --replies --again --state-dir --commands --delay --seed --sessions --roster --page --report
                    set has_value yes
                case --prefix --share --presence --presence-end --actions
                    set has_value yes
                case --program-time --program-output --programs-at-once
                    set has_value yes
            end
        end
    end
end

# Whether the command on the command line is one of these. Where none is there yet, any may come.
function __mqtt_client_for
    set -l words (__mqtt_client_words)
    set -l commands
    if test "$words[1]" = doctor
        set commands doctor
        set -e words[1]
    end
    switch "$words[1]"
        case ''
        case judge
            # Behind the client, every option is the client's.
            test (count $words) -gt 1; and return 1
            set -a commands judge
        case device controller responder fleet demo
            set -a commands $words[1]
        case '*'
            set -a commands request
    end
    test (count $commands) -eq 0; and return
    for command in $commands
        contains -- $command $argv; and return
    end
    return 1
end

# The commands, USER_ID or ACTION.
function __mqtt_client_arguments
    set -l words (__mqtt_client_words)
    set -l offered request device controller responder fleet doctor judge demo
    if test "$words[1]" = doctor
        set -e words[1]
        set offered request device controller responder
    end
    switch "$words[1]"
        case ''
            printf '%s\n' $offered
            return
        case device
            test (count $words) -eq 1; and echo '%H'
            return
        case judge
            # Completed as the shell would without this command in front.
            set -l line (string join ' ' -- (string escape -- $words[2..-1]) (commandline -ct))
            complete --do-complete="$line"
            return
        case controller responder fleet demo
            return
        case request
            set -e words[1]
    end
    test (count $words) -eq 1; and printf '%s\n' uppercase lowercase title-case reverse shuffle
end

complete -c mqtt_client -f
complete -c mqtt_client -a '(__mqtt_client_arguments)'
complete -c mqtt_client -n '__mqtt_client_for request device controller responder fleet doctor' -s h -l host -x -a '(__fish_print_hostnames)' -d 'Broker'
complete -c mqtt_client -n '__mqtt_client_for request device controller responder fleet doctor' -s p -l port -x -d 'Port of the broker'
complete -c mqtt_client -n '__mqtt_client_for request device controller responder fleet doctor' -s L -l url -x -d 'Broker as mqtt[s]://user@host:port'
complete -c mqtt_client -n '__mqtt_client_for request device controller responder fleet doctor' -s i -l id -x -d 'Client id'
complete -c mqtt_client -n '__mqtt_client_for request device controller responder fleet doctor' -s k -l keepalive -x -d 'Seconds between signs of life'
complete -c mqtt_client -n '__mqtt_client_for request device controller responder fleet doctor judge' -s W -l timeout -x -d 'Time limit'
complete -c mqtt_client -n '__mqtt_client_for request device controller responder fleet doctor' -l reconnect-delay -x -d 'Shortest wait before a new attempt'
complete -c mqtt_client -n '__mqtt_client_for doctor' -l service -d 'Settings of the systemd unit'
complete -c mqtt_client -n '__mqtt_client_for request device controller responder fleet doctor' -s u -l username -x -d 'User name'
complete -c mqtt_client -n '__mqtt_client_for request device controller responder fleet doctor' -l password-file -r -F -d 'File with the password'
complete -c mqtt_client -n '__mqtt_client_for request device controller responder fleet doctor' -s P -l password -x -d 'Password, visible to others'
complete -c mqtt_client -n '__mqtt_client_for request device controller responder fleet doctor' -l tls -d 'Encrypt'
complete -c mqtt_client -n '__mqtt_client_for request device controller responder fleet doctor' -l cafile -r -F -d 'Trusted authorities'
complete -c mqtt_client -n '__mqtt_client_for request device controller responder fleet doctor' -l cert -r -F -d 'Certificate to show'
complete -c mqtt_client -n '__mqtt_client_for request device controller responder fleet doctor' -l key -r -F -d 'Key of the certificate'
complete -c mqtt_client -n '__mqtt_client_for request device controller responder fleet doctor' -s q -l qos -x -a '0 1 2' -d 'Quality of service'
complete -c mqtt_client -n '__mqtt_client_for request' -l lines -d 'Each line of standard input is a MESSAGE'
complete -c mqtt_client -n '__mqtt_client_for device controller' -l replies -r -F -d 'File of CMD=word'
complete -c mqtt_client -n '__mqtt_client_for device' -l again -x -d 'Pause between two sessions'
complete -c mqtt_client -n '__mqtt_client_for device controller responder' -l state-dir -x -a '(__fish_complete_directories)' -d 'Folder that remembers what is open'
complete -c mqtt_client -n '__mqtt_client_for device controller responder' -l sync -d 'On the disk before it is sent'
complete -c mqtt_client -n '__mqtt_client_for device controller' -l commands -x -a '(__fish_complete_directories)' -d 'Folder of programs, or how many commands'
complete -c mqtt_client -n '__mqtt_client_for controller' -l delay -x -d 'Seconds before the first command'
complete -c mqtt_client -n '__mqtt_client_for controller' -l seed -x -d 'Repeat the choice of commands'
complete -c mqtt_client -n '__mqtt_client_for controller' -l sessions -x -d 'Exit after so many'
complete -c mqtt_client -n '__mqtt_client_for controller' -l roster -r -F -d 'File of who is awaited'
complete -c mqtt_client -n '__mqtt_client_for controller' -l page -r -F -d 'Show the class in this file'
complete -c mqtt_client -n '__mqtt_client_for controller' -l report -r -F -d 'A line a session, JSON or .csv'
complete -c mqtt_client -n '__mqtt_client_for device controller' -l prefix -x -d 'Levels before every topic'
complete -c mqtt_client -n '__mqtt_client_for device controller' -l verdict -d 'Publish the verdict, or show it'
complete -c mqtt_client -n '__mqtt_client_for controller responder' -l share -x -d 'Share the work with a group'
complete -c mqtt_client -n '__mqtt_client_for device controller responder' -l presence -x -d 'Say there who is up'
complete -c mqtt_client -n '__mqtt_client_for device controller responder' -l presence-end -x -a 'offline clear' -d 'What stays there'
complete -c mqtt_client -n '__mqtt_client_for responder' -l actions -x -a '(__fish_complete_directories)' -d 'Folder of programs'
complete -c mqtt_client -n '__mqtt_client_for device responder' -l program-time -x -d 'Seconds that a program may run'
complete -c mqtt_client -n '__mqtt_client_for device responder' -l program-output -x -d 'Bytes of output that count'
complete -c mqtt_client -n '__mqtt_client_for device responder' -l programs-at-once -x -d 'How many may run at once'
complete -c mqtt_client -n '__mqtt_client_for device responder' -l at-most-once -d 'No program runs again after a crash'
complete -c mqtt_client -n '__mqtt_client_for request' -l any-action -d 'ACTION of a folder of programs'
complete -c mqtt_client -n '__mqtt_client_for fleet' -l once -d 'Print the table once'
complete -c mqtt_client -n '__mqtt_client_for fleet doctor judge' -l json -d 'A line of JSON for each'
complete -c mqtt_client -n '__mqtt_client_for request device controller responder fleet doctor judge demo' -s v -l verbose -d 'Say what happens'
complete -c mqtt_client -n '__mqtt_client_for request device controller responder fleet doctor judge demo' -l quiet -d 'No warnings'
complete -c mqtt_client -n '__mqtt_client_for request device controller responder fleet doctor judge demo' -l help -d 'Show a summary'
complete -c mqtt_client -n '__mqtt_client_for request device controller responder fleet doctor judge demo' -l version -d 'Show the version'
