# Completion of tmctl for fish(1). tmctl itself says what could follow, so
# names are those that the daemon has at this moment.

function __tmctl_candidates
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l program $words[1]
    set -e words[1]
    set -l options
    while set -q words[2]; and string match -qr '^-[cdsk]$' -- $words[1]
        set -a options $words[1..2]
        set -e words[1..2]
    end
    if set -q words[1]; and string match -qr '^-[cdsk]$' -- $words[1]; and not set -q words[2]
        __fish_complete_path "$current"
        return
    end
    command $program $options complete -- $words "$current" 2>/dev/null
end

complete -c tmctl -f -a '(__tmctl_candidates)'
