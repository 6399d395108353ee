// Package glob knows how a shell writes patterns.
package glob

// FromShell turns a pattern of glob(7) into one of path.Match, which excludes
// characters by [^0-3] only and takes [!0-3] for these and an exclamation mark.
func FromShell(pattern string) string {
	out := []byte(pattern)
	inClass := false
	for i := 0; i < len(out); i++ {
		switch {
		case out[i] == '\\':
			i++ // the next means itself
		case out[i] == ']':
			inClass = false
		case out[i] == '[' && !inClass:
			inClass = true
			if i+1 < len(out) && out[i+1] == '!' {
				out[i+1] = '^'
			}
		}
	}
	return string(out)
}
