# Completion of tmctl for bash(1). tmctl itself says what could follow, so
# names are those that the daemon has at this moment.

_tmctl() {
	# Bash splits words at colons, and instances are named web:0: the line is
	# split again, at blanks only.
	local line=${COMP_LINE:0:COMP_POINT} words options=() i=1
	read -ra words <<<"$line"
	[[ $line == *[[:blank:]] ]] && words+=("")

	while [[ ${words[i]} == -[cdsk] ]] && ((i + 1 < ${#words[@]} - 1)); do
		options+=("${words[i]}" "${words[i + 1]}")
		((i += 2))
	done
	local word=${words[-1]}
	if [[ ${words[i]} == -[cdsk] ]] && ((i + 1 == ${#words[@]} - 1)); then
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
	fi
	mapfile -t COMPREPLY < <("${words[0]}" "${options[@]}" complete -- "${words[@]:i}" 2>/dev/null)

	# What bash takes for the word begins behind the last colon.
	if [[ $word == *:* && $COMP_WORDBREAKS == *:* ]]; then
		COMPREPLY=("${COMPREPLY[@]#"${word%:*}:"}")
	fi
}

complete -F _tmctl tmctl
