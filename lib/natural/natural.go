// Package natural orders names as people count.
package natural

import "strings"

// Compare compares names as people count: web:2 before web:10, and all of web
// before web2. It is negative when a comes first, zero when they are equal; it
// fits slices.SortFunc.
func Compare(a, b string) int {
	for a != "" && b != "" {
		da, db := digits(a), digits(b)
		if da > 0 && db > 0 {
			if c := compareNumbers(a[:da], b[:db]); c != 0 {
				return c
			}
			a, b = a[da:], b[db:]
			continue
		}
		if a[0] != b[0] {
			return rank(a[0]) - rank(b[0])
		}
		a, b = a[1:], b[1:]
	}
	return len(a) - len(b)
}

// rank has the end of a program's name come before what makes it longer.
func rank(c byte) int {
	if c == ':' {
		return 0
	}
	return int(c)
}

// digits is the number of digits that text begins with.
func digits(text string) int {
	n := 0
	for n < len(text) && '0' <= text[n] && text[n] <= '9' {
		n++
	}
	return n
}

// compareNumbers compares runs of digits of any length by their value, then
// by their leading zeros.
func compareNumbers(a, b string) int {
	va, vb := strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if len(va) != len(vb) {
		return len(va) - len(vb)
	}
	if c := strings.Compare(va, vb); c != 0 {
		return c
	}
	return len(a) - len(b)
}
