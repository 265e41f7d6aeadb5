package admin

import (
	"io"
	"log/slog"
	"net/http"
)

// Routes lists the operations as "GET /payments".
func Routes() []string {
	var names []string
	for _, r := range new(API).routes() {
		names = append(names, r.method+" "+r.path)
	}
	return names
}

// Success is the status of an operation of Routes that goes well.
func Success(name string) int {
	for _, r := range new(API).routes() {
		if r.method+" "+r.path == name {
			return r.status
		}
	}
	return 0
}

// Refuse answers an error.
func Refuse(w http.ResponseWriter, r *http.Request, err error) {
	(&API{log: slog.New(slog.NewTextHandler(io.Discard, nil))}).refuse(w, r, err)
}

// Inside of the package, for its tests.
var (
	ParseObject = parseObject
	Statuses    = statuses
)
