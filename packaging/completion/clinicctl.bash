# bash completion of clinicctl: it asks clinicctl itself which commands there are, so none can be missing.
_clinicctl() {
    local current=${COMP_WORDS[COMP_CWORD]} line word at fits choices=() options=() typed=() row words
    # What stands before the cursor: words, without options and their values.
    local skip=no
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        if [ $skip = yes ]; then skip=no; continue; fi
        case $word in
            --json | --status | --watch | --all | --reveal | --patient | --preview | --tell | --words | --passphrase | --new-key | --help | --*=*) ;;
            --*) skip=yes ;;
            =) skip=yes ;; # readline splits at it
            *) typed+=("$word") ;;
        esac
    done
    if [ $skip = yes ]; then
        compopt -o default # the value of an option: a file, or what only the person knows
        return
    fi
    while read -r line; do
        read -ra row <<<"$line"
        fits=yes
        for ((at = 0; at < ${#typed[@]}; ++at)); do
            case ${row[at]:-} in
                '' | --*) fits=no ;;
                *[A-Z]*) ;; # any word
                *) case "|${row[at]}|" in *"|${typed[at]}|"*) ;; *) fits=no ;; esac ;;
            esac
        done
        [ $fits = yes ] || continue
        case ${row[${#typed[@]}]:-} in
            --* | '') ;;
            FILE) [[ $current = -* ]] || compopt -o default ;;
            *[A-Z]*) ;;
            *) IFS='|' read -ra words <<<"${row[${#typed[@]}]}" && choices+=("${words[@]}") ;;
        esac
        for word in "${row[@]}"; do
            case $word in --*) word=${word%\*} && options+=("${word%=}") ;; esac
        done
    done < <("${COMP_WORDS[0]}" commands 2>/dev/null)
    [ ${#typed[@]} -gt 0 ] || options+=(--control --help)
    [[ $current != -* ]] || choices=("${options[@]}")
    mapfile -t COMPREPLY < <(compgen -W "${choices[*]}" -- "$current" | sort -u)
}
complete -F _clinicctl clinicctl
