package config

import (
	"fmt"
	"os/user"
	"slices"
	"strconv"
	"strings"
)

// An account is a user of the system: those of /etc/passwd are read, others
// are asked of getent(1) and id(1), which know LDAP and the like.
type account struct {
	User
	known bool
}

// A group is one of the system, found in the same way.
type group struct {
	name  string
	gid   int
	known bool
}

func (b *builder) readUser(v value) string {
	if v.isNull() {
		return inherited
	}
	name := b.asRoot(v, "user")
	if name == "" {
		return inherited
	}
	found := b.account(name)
	if !found.known {
		b.bad(v, "no user %s", quoted(name))
		return inherited
	}
	b.in.User = new(User)
	*b.in.User = found.User
	return fmt.Sprintf("%s (%d)", quoteWord(found.Name), found.UID)
}

// readGroup comes after readUser: without a group the user's own stands.
func (b *builder) readGroup(v value) string {
	if v.isNull() {
		if b.in.User == nil {
			return inherited
		}
		return b.showGroup(b.in.User.GID)
	}
	name := b.asRoot(v, "group")
	if name == "" {
		return inherited
	}
	g := b.group(name)
	if !g.known {
		b.bad(v, "no group %s", quoted(name))
		return inherited
	}
	if b.in.User == nil {
		b.in.User = &User{UID: b.opts.UID}
	}
	b.in.User.GID = g.gid
	if !slices.Contains(b.in.User.Groups, g.gid) {
		b.in.User.Groups = append([]int{g.gid}, b.in.User.Groups...)
	}
	return b.showGroup(g.gid)
}

// asRoot reads the name of a user or group, which only root can take on.
func (b *builder) asRoot(v value, what string) (name string) {
	name = b.expandWord(v)
	if name != "" && !b.opts.Root {
		b.bad(v, "only root can run a program as another %s", what)
		return ""
	}
	return name
}

// showGroup names a group with its number, so that a change of either is one.
func (l *loader) showGroup(gid int) string {
	g := l.group(strconv.Itoa(gid))
	if !g.known {
		g.name = strconv.Itoa(gid)
	}
	return fmt.Sprintf("%s (%d)", quoteWord(g.name), gid)
}

// account looks a user up by name, else by number. Each is looked up once
// for a configuration.
func (l *loader) account(name string) account {
	if a, ok := l.accounts[name]; ok {
		return a
	}
	a := l.localAccount(name)
	if !a.known {
		a = l.remoteAccount(name)
	}
	l.accounts[name] = a
	return a
}

func (l *loader) localAccount(name string) account {
	u, err := user.Lookup(name)
	if err != nil {
		u, err = user.LookupId(name)
	}
	if err != nil {
		return account{}
	}
	ids, err := u.GroupIds()
	if err != nil {
		return account{}
	}
	return newAccount(u.Username, u.Uid, u.Gid, u.HomeDir, ids)
}

// remoteAccount asks getent(1) and id(1).
func (l *loader) remoteAccount(name string) account {
	fields := l.getent("passwd", name, 7)
	if fields == nil {
		return account{}
	}
	out, err := l.opts.Run("id", "-G", fields[0])
	if err != nil {
		return account{}
	}
	return newAccount(fields[0], fields[2], fields[3], fields[5], strings.Fields(string(out)))
}

// getent returns the fields of one entry of a system database, nil when it
// does not exist. A name that could be an option is not asked for.
func (l *loader) getent(database, name string, least int) []string {
	if l.opts.Run == nil || name == "" || strings.HasPrefix(name, "-") || strings.ContainsAny(name, ":\n") {
		return nil
	}
	out, err := l.opts.Run("getent", database, name)
	if err != nil {
		return nil
	}
	entry, _, _ := strings.Cut(string(out), "\n")
	if fields := strings.Split(entry, ":"); len(fields) >= least && fields[0] != "" && fields[0][0] != '-' {
		return fields
	}
	return nil
}

func newAccount(name, uid, gid, home string, groups []string) account {
	a := account{User: User{Name: name, Home: home}, known: true}
	numbers := make([]int, 0, len(groups)+2)
	for _, text := range append([]string{uid, gid}, groups...) {
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return account{}
		}
		numbers = append(numbers, int(n))
	}
	a.UID, a.GID, a.Groups = numbers[0], numbers[1], slices.Clip(numbers[2:])
	return a
}

// group looks a group up by name, else by number, once for a configuration.
func (l *loader) group(name string) group {
	if g, ok := l.groups[name]; ok {
		return g
	}
	found, text := "", ""
	if g, err := user.LookupGroup(name); err == nil {
		found, text = g.Name, g.Gid
	} else if g, err := user.LookupGroupId(name); err == nil {
		found, text = g.Name, g.Gid
	} else if fields := l.getent("group", name, 3); fields != nil {
		found, text = fields[0], fields[2]
	}
	gid, err := strconv.ParseUint(text, 10, 31)
	g := group{found, int(gid), err == nil}
	l.groups[name] = g
	return g
}
