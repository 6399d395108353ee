// Webserver is the web server of the examples: it answers on loopback with
// what taskmaster runs at this moment. It asks nobody: the state directory
// holds a status file for every instance (tmd(8), FILES), and the page
// is their text.
//
//	webserver HOST:PORT
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "webserver: usage: webserver HOST:PORT")
		os.Exit(100)
	}
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "webserver: fatal:", err)
		os.Exit(111)
	}
	fmt.Printf("answers on http://%s/\n", listener.Addr())
	err = http.Serve(listener, http.HandlerFunc(page))
	fmt.Fprintln(os.Stderr, "webserver: fatal:", err)
	os.Exit(111)
}

// page shows every status file of the state directory as it is.
func page(w http.ResponseWriter, r *http.Request) {
	fmt.Printf("%s %s\n", r.Method, r.URL.Path)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, "This is %s, pid %d. The others, as their status files have them:\n\n", os.Getenv("TM_NAME"), os.Getpid())
	files, _ := filepath.Glob(filepath.Join(os.Getenv("TM_STATE"), "run", "*", "status"))
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil {
			w.Write(text)
		}
	}
}
