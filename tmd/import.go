package main

import (
	"os"

	"taskmaster/lib/die"
	"taskmaster/lib/supervisord"
)

// importSupervisor writes what a configuration of Supervisor comes to, or
// exits.
func importSupervisor(path string) {
	text, err := supervisord.Import(path)
	if err != nil {
		die.Fatal(die.Usage, "unable to import "+path, err)
	}
	if _, err := os.Stdout.Write(text); err != nil {
		die.Fatal(die.Temporary, "unable to write", err)
	}
}
