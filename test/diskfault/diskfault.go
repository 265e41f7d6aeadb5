// Package diskfault gives a test a disk that fails: below one SQLite database
// of this process, reads, writes, syncs, locks and commits can be made to fail,
// and the process can be made to look dead to it. SQLite reaches its files
// through a table of functions (its VFS); ours is the usual one with some of
// them in between. It is the default of this process, so the program needs no
// hook for it.
package diskfault

import (
	"context"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"modernc.org/libc"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Op is what SQLite does with its files; several make a set.
type Op uint8

const (
	Read Op = 1 << iota
	Write
	Truncate
	Sync
	Begin  // the lock with which a transaction begins that will write
	Commit // the end of a commit, when the transaction is durable already
)

// Change is every way to change a file.
const Change = Write | Truncate | Sync

// Fault is what is to go wrong.
type Fault struct {
	Ops     Op    // which operations are counted
	N       int   // the first of them that fails; 1 is the next
	Code    int32 // of SQLite, for what fails; a Truncate or Sync has its own
	Lasting bool  // those after it fail too
	Torn    bool  // half of a write that fails reaches the file
	Dead    bool  // from then on nothing works: the process might as well have been killed
}

// Disk is the storage of one SQLite database. It is safe for concurrent use.
type Disk struct {
	armed atomic.Bool // there is a fault, or it is dead

	mu    sync.Mutex
	fault Fault
	count int
	fired int
	dead  bool
	conns []sqlite.ExecQuerierContext
}

// Arm lets a fault strike from now on, instead of any other.
func (d *Disk) Arm(f Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault, d.count, d.fired, d.dead = f, 0, 0, false
	d.armed.Store(true)
}

// Kill lets nothing work from now on.
func (d *Disk) Kill() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = true
	d.armed.Store(true)
}

// Heal ends the faults and says how often the last one struck.
func (d *Disk) Heal() (fired int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.armed.Store(false)
	d.fault, d.dead = Fault{}, false
	return d.fired
}

// Fired says whether the fault has struck.
func (d *Disk) Fired() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.fired > 0
}

// Dead says whether nothing works any more.
func (d *Disk) Dead() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.dead
}

// Forget empties SQLite's caches, so that it has to read again. Call it only
// while nobody uses the database.
func (d *Disk) Forget() {
	d.mu.Lock()
	conns := d.conns
	d.conns = nil
	d.mu.Unlock()
	open := conns[:0]
	for _, c := range conns {
		if shrink(c) {
			open = append(open, c)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.conns = append(d.conns, open...)
}

// shrink empties the caches of one connection, unless that is closed.
func shrink(c sqlite.ExecQuerierContext) (open bool) {
	defer func() { _ = recover() }() // the driver panics on one that is
	_, err := c.ExecContext(context.Background(), "PRAGMA shrink_memory", nil)
	return err == nil
}

// fails says whether an operation fails, and how.
func (d *Disk) fails(op Op) (code int32, torn bool) {
	if !d.armed.Load() {
		return 0, false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead {
		return sqlite3.SQLITE_IOERR, false
	}
	if d.fault.Ops&op == 0 {
		return 0, false
	}
	d.count++
	if d.fault.N == 0 || d.count < d.fault.N || d.count > d.fault.N && !d.fault.Lasting {
		return 0, false
	}
	d.fired++
	d.dead = d.fault.Dead
	switch op {
	case Truncate:
		return sqlite3.SQLITE_IOERR_TRUNCATE, false
	case Sync:
		return sqlite3.SQLITE_IOERR_FSYNC, false
	}
	return d.fault.Code, d.fault.Torn
}

// openFile is a file that SQLite has open.
type openFile struct {
	disk    *Disk
	methods uintptr // the usual ones
	ours    uintptr
}

var vfs struct {
	once  sync.Once
	usual uintptr  // xOpen
	disks sync.Map // path of a database -> *Disk
	files sync.Map // address of a sqlite3_file -> openFile
}

// New puts a disk that can fail below a database that is about to be opened in this process.
func New(t testing.TB, path string) *Disk {
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
		sqlite.RegisterConnectionHook(connected)
	})
	// SQLite names files by what their links lead to.
	folder, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	d, path := &Disk{}, filepath.Join(folder, filepath.Base(path))
	vfs.disks.Store(path, d)
	t.Cleanup(func() { vfs.disks.Delete(path) })
	return d
}

// connected keeps the connections to a disk's database, for Forget.
func connected(c sqlite.ExecQuerierContext, dsn string) error {
	u, err := url.Parse(dsn)
	if err != nil {
		return nil // no database of ours
	}
	folder, err := filepath.EvalSymlinks(filepath.Dir(u.Path))
	if err != nil {
		return nil
	}
	if d, ok := vfs.disks.Load(filepath.Join(folder, filepath.Base(u.Path))); ok {
		d := d.(*Disk)
		d.mu.Lock()
		defer d.mu.Unlock()
		d.conns = append(d.conns, c)
	}
	return nil
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
	readFunc     = func(tls *libc.TLS, file, to uintptr, n int32, offset int64) int32
	writeFunc    = func(tls *libc.TLS, file, from uintptr, n int32, offset int64) int32
	truncateFunc = func(tls *libc.TLS, file uintptr, size int64) int32
	syncFunc     = func(tls *libc.TLS, file uintptr, flags int32) int32
	lockFunc     = func(tls *libc.TLS, file uintptr, offset, n, flags int32) int32
	controlFunc  = func(tls *libc.TLS, file uintptr, op int32, arg uintptr) int32
	fetchFunc    = func(tls *libc.TLS, file uintptr, offset int64, n int32, to uintptr) int32
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
	m := at[sqlite3.Tsqlite3_io_methods](ours)
	*m = *at[sqlite3.Tsqlite3_io_methods](f.FpMethods)
	m.FxClose, m.FxRead, m.FxWrite, m.FxTruncate, m.FxSync = function(closed), function(read), function(write), function(truncate), function(synced)
	m.FxShmLock, m.FxFileControl, m.FxFetch = function(lock), function(control), function(fetch)
	vfs.files.Store(file, openFile{d.(*Disk), f.FpMethods, ours})
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

func read(tls *libc.TLS, file, to uintptr, n int32, offset int64) int32 {
	f, usual := fileAt(file)
	if code, _ := f.disk.fails(Read); code != 0 {
		return code
	}
	return called[readFunc](usual.FxRead)(tls, file, to, n, offset)
}

// fetch is a read of mapped memory. While something is to fail nothing is
// mapped, and SQLite reads instead.
func fetch(tls *libc.TLS, file uintptr, offset int64, n int32, to uintptr) int32 {
	f, usual := fileAt(file)
	if f.disk.armed.Load() {
		*at[uintptr](to) = 0
		return 0
	}
	return called[fetchFunc](usual.FxFetch)(tls, file, offset, n, to)
}

func write(tls *libc.TLS, file, from uintptr, n int32, offset int64) int32 {
	f, usual := fileAt(file)
	code, torn := f.disk.fails(Write)
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
	if code, _ := f.disk.fails(Truncate); code != 0 {
		return code
	}
	return called[truncateFunc](usual.FxTruncate)(tls, file, size)
}

func synced(tls *libc.TLS, file uintptr, flags int32) int32 {
	f, usual := fileAt(file)
	if code, _ := f.disk.fails(Sync); code != 0 {
		return code
	}
	return called[syncFunc](usual.FxSync)(tls, file, flags)
}

// lock locks a part of the write-ahead log's index; the first of them is for
// writing (walformat, "WAL_WRITE_LOCK").
func lock(tls *libc.TLS, file uintptr, offset, n, flags int32) int32 {
	f, usual := fileAt(file)
	if offset == 0 && flags == sqlite3.SQLITE_SHM_LOCK|sqlite3.SQLITE_SHM_EXCLUSIVE {
		if code, _ := f.disk.fails(Begin); code != 0 {
			return code
		}
	}
	return called[lockFunc](usual.FxShmLock)(tls, file, offset, n, flags)
}

// control hears of a commit when it has taken effect.
func control(tls *libc.TLS, file uintptr, op int32, arg uintptr) int32 {
	f, usual := fileAt(file)
	if op == sqlite3.SQLITE_FCNTL_COMMIT_PHASETWO {
		if code, _ := f.disk.fails(Commit); code != 0 {
			return code
		}
	}
	return called[controlFunc](usual.FxFileControl)(tls, file, op, arg)
}
