package crash

import (
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// disk is the storage of one SQLite database, in this process, whose writes and syncs can be made to fail. SQLite
// reaches its files through a table of functions (its VFS); ours is the usual one with some of them in between. It is
// the default of this process, so the program needs no hook for it.
type disk struct {
	mu      sync.Mutex
	count   int // writes, truncations and syncs since it was armed
	at      int // which of them fails; 0 is none
	lasting bool
	torn    bool // half of a failing write reaches the file
	code    int32
	fired   int
}

// arm makes the n-th operation from now fail with a code of SQLite; with lasting all those after it too.
func (d *disk) arm(n int, lasting, torn bool, code int32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.count, d.fired, d.at, d.lasting, d.torn, d.code = 0, 0, n, lasting, torn, code
}

// heal ends the faults and says how many there were.
func (d *disk) heal() (fired int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at = 0
	return d.fired
}

func (d *disk) hasFired() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.fired > 0
}

// fails says whether the next operation fails, and how.
func (d *disk) fails() (code int32, torn bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.count++
	if d.at == 0 || d.count < d.at || d.count > d.at && !d.lasting {
		return 0, false
	}
	d.fired++
	return d.code, d.torn
}

// openFile is a file that SQLite has open.
type openFile struct {
	disk    *disk
	methods uintptr // the usual ones
	ours    uintptr
}

var vfs struct {
	once  sync.Once
	usual uintptr  // xOpen
	disks sync.Map // path of a database -> *disk
	files sync.Map // address of a sqlite3_file -> openFile
}

// newDisk puts a disk that can fail below a database that is about to be opened in this process.
func newDisk(t *testing.T, path string) *disk {
	t.Helper()
	vfs.once.Do(func() {
		tls := libc.NewTLS()
		usual := sqlite3.Xsqlite3_vfs_find(tls, 0)
		ours := libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(sqlite3.Tsqlite3_vfs{})))
		name, err := libc.CString("faulty")
		if usual == 0 || ours == 0 || err != nil {
			t.Fatal("no memory for SQLite's VFS")
		}
		table := at[sqlite3.Tsqlite3_vfs](ours)
		*table = *at[sqlite3.Tsqlite3_vfs](usual)
		vfs.usual, table.FxOpen, table.FzName = table.FxOpen, function(open), name
		if code := sqlite3.Xsqlite3_vfs_register(tls, ours, 1); code != 0 {
			t.Fatalf("sqlite3_vfs_register: %d", code)
		}
	})
	// SQLite names files by what their links lead to.
	folder, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	d, path := &disk{}, filepath.Join(folder, filepath.Base(path))
	vfs.disks.Store(path, d)
	t.Cleanup(func() { vfs.disks.Delete(path) })
	return d
}

// at is a pointer to C's memory, which Go's collector does not move.
func at[T any](address uintptr) *T { return *(**T)(unsafe.Pointer(&address)) }

// function is the address by which C code that was translated to Go calls f, a function of this package.
func function(f any) uintptr { return (*[2]uintptr)(unsafe.Pointer(&f))[1] }

// called is the Go function behind such an address.
func called[F any](address uintptr) F {
	return *(*F)(unsafe.Pointer(&address))
}

type (
	openFunc     = func(tls *libc.TLS, vfs, name, file uintptr, flags int32, out uintptr) int32
	closeFunc    = func(tls *libc.TLS, file uintptr) int32
	writeFunc    = func(tls *libc.TLS, file, from uintptr, n int32, offset int64) int32
	truncateFunc = func(tls *libc.TLS, file uintptr, size int64) int32
	syncFunc     = func(tls *libc.TLS, file uintptr, flags int32) int32
)

func open(tls *libc.TLS, table, name, file uintptr, flags int32, out uintptr) int32 {
	if code := called[openFunc](vfs.usual)(tls, table, name, file, flags, out); code != 0 || name == 0 {
		return code
	}
	path := strings.TrimSuffix(strings.TrimSuffix(libc.GoString(name), "-wal"), "-journal")
	d, ok := vfs.disks.Load(path)
	f := at[sqlite3.Tsqlite3_file](file)
	if !ok || f.FpMethods == 0 {
		return 0
	}
	ours := libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(sqlite3.Tsqlite3_io_methods{})))
	if ours == 0 {
		return 0 // it only cannot fail then
	}
	table2 := at[sqlite3.Tsqlite3_io_methods](ours)
	*table2 = *at[sqlite3.Tsqlite3_io_methods](f.FpMethods)
	table2.FxClose, table2.FxWrite, table2.FxTruncate, table2.FxSync = function(closed), function(write), function(truncate), function(synced)
	vfs.files.Store(file, openFile{d.(*disk), f.FpMethods, ours})
	f.FpMethods = ours
	return 0
}

func fileAt(file uintptr) (openFile, *sqlite3.Tsqlite3_io_methods) {
	f, _ := vfs.files.Load(file)
	found := f.(openFile)
	return found, at[sqlite3.Tsqlite3_io_methods](found.methods)
}

func closed(tls *libc.TLS, file uintptr) int32 {
	f, usual := fileAt(file)
	vfs.files.Delete(file)
	at[sqlite3.Tsqlite3_file](file).FpMethods = f.methods
	libc.Xfree(tls, f.ours)
	return called[closeFunc](usual.FxClose)(tls, file)
}

func write(tls *libc.TLS, file, from uintptr, n int32, offset int64) int32 {
	f, usual := fileAt(file)
	code, torn := f.disk.fails()
	if code == 0 {
		return called[writeFunc](usual.FxWrite)(tls, file, from, n, offset)
	}
	if torn && n > 1 {
		called[writeFunc](usual.FxWrite)(tls, file, from, n/2, offset)
	}
	return code
}

func truncate(tls *libc.TLS, file uintptr, size int64) int32 {
	f, usual := fileAt(file)
	if code, _ := f.disk.fails(); code != 0 {
		return sqlite3.SQLITE_IOERR_TRUNCATE
	}
	return called[truncateFunc](usual.FxTruncate)(tls, file, size)
}

func synced(tls *libc.TLS, file uintptr, flags int32) int32 {
	f, usual := fileAt(file)
	if code, _ := f.disk.fails(); code != 0 {
		return sqlite3.SQLITE_IOERR_FSYNC
	}
	return called[syncFunc](usual.FxSync)(tls, file, flags)
}
