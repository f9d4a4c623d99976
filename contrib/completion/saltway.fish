# Completion of saltway(8) in fish.

# The links that have a configuration.
function __saltway_configured
    for file in /etc/saltway/*.conf
        basename $file .conf
    end
end

# The links that run in this network namespace.
function __saltway_running
    set -l directory $XDG_RUNTIME_DIR/saltway
    test (id -u) != 0; or set directory /run/saltway
    set -q RUNTIME_DIRECTORY; and set directory $RUNTIME_DIRECTORY
    set -l suffix @(stat -L -c %i /proc/self/ns/net).sock
    for socket in $directory/*$suffix
        basename $socket $suffix
    end
end

function __saltway_subcommands
    saltway --help | string replace -rf '^  saltway ([a-z]+) [^a-z]*([a-z].*)$' '$1\t$2'
end

complete -c saltway -n __fish_use_subcommand -f -a '(__saltway_subcommands)'
complete -c saltway -n __fish_use_subcommand -l help -d 'show the subcommands'
complete -c saltway -n __fish_use_subcommand -l version -d 'show the version'
complete -c saltway -n '__fish_seen_subcommand_from check up doctor' -a '(__saltway_configured)' -d link
complete -c saltway -n '__fish_seen_subcommand_from reload down status doctor test' -a '(__saltway_running)' -d 'running link'
complete -c saltway -n '__fish_seen_subcommand_from status' -l json -d 'for programs'
complete -c saltway -n '__fish_seen_subcommand_from status' -l metrics -d 'for Prometheus'
complete -c saltway -n '__fish_seen_subcommand_from status' -l watch -d 'once a second'
complete -c saltway -n '__fish_seen_subcommand_from test' -l listen -d 'for a test from the other side'
complete -c saltway -n '__fish_seen_subcommand_from test' -l keep -d 'after a test, too'
complete -c saltway -n '__fish_seen_subcommand_from test bench' -l json -d 'for programs'
complete -c saltway -n '__fish_seen_subcommand_from test' -s t -x -d 'seconds each way'
complete -c saltway -n '__fish_seen_subcommand_from pair import' -s o -r -d 'directory to make'
complete -c saltway -n '__fish_seen_subcommand_from pair' -l port -x -d 'of both ends'
complete -c saltway -n '__fish_seen_subcommand_from pair' -l networks-a -x -d 'behind this machine'
complete -c saltway -n '__fish_seen_subcommand_from pair' -l networks-b -x -d 'behind the other machine'
complete -c saltway -n '__fish_seen_subcommand_from import' -l name -x -d 'of the link'
complete -c saltway -n '__fish_seen_subcommand_from import' -l host -x -d 'this machine, as the other one reaches it'
complete -c saltway -n '__fish_seen_subcommand_from import' -l networks -x -d 'behind this machine'
complete -c saltway -n '__fish_seen_subcommand_from import' -l peer -x -d 'number of the [Peer]'
