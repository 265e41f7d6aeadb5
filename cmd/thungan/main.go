// Command thungan is a payment gateway in one program: `thungan dev` is a
// sandbox on a laptop, `thungan serve` takes real money.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// version is set by the linker; see the Makefile.
var version = "dev"

// commands is the command line. Flags that are settings can also be set by an
// environment variable (--public-url is THUNGAN_PUBLIC_URL) or in the file that
// --config names; a flag wins over the environment, and that over the file.
// Flags of a single act, such as a merchant's name, are tagged env:"-".
type commands struct {
	Config kong.ConfigFlag `help:"A JSON file of settings: names of flags without the dashes, such as {\"listen\": \"0.0.0.0:443\"}." placeholder:"FILE"`

	Dev       devCommand       `cmd:"" help:"Run the sandbox: gateway, payer's bank and demo shop, on embedded SQLite. No other set-up."`
	Serve     serveCommand     `cmd:"" help:"Run the gateway in production."`
	Migrate   migrateCommand   `cmd:"" help:"Bring a database up to date with this program."`
	Check     checkCommand     `cmd:"" help:"Judge a database: is every đồng where it belongs?"`
	Backup    backupCommand    `cmd:"" help:"Back an SQLite gateway up while it serves, encrypted."`
	Restore   restoreCommand   `cmd:"" help:"Restore a backup."`
	BackupKey backupKeyCommand `cmd:"" help:"Make a key pair that backups are encrypted for."`
	Copy      copyCommand      `cmd:"" help:"Move a gateway from SQLite to PostgreSQL, or back."`
	Merchant  merchantCommand  `cmd:"" help:"Add and change merchants and platforms."`

	appCommands `embed:""`

	Feed      feedCommand      `cmd:"" help:"Say who tells the gateway of bank credits."`
	Connector connectorCommand `cmd:"" help:"Connect merchants to acquirers, for cards and wallets."`
	Terminal  terminalCommand  `cmd:"" help:"Register card terminals and look after them."`
	Token     tokenCommand     `cmd:"" help:"Make and end tokens for the admin API."`
	Key       keyCommand       `cmd:"" help:"Make the key file that secrets are sealed with."`
	VietQR    vietQRCommand    `cmd:"" name:"vietqr" help:"Encode and decode VietQR payloads."`
	Version   versionCommand   `cmd:"" help:"Print the version."`
	Booking   bookingCommand   `cmd:"" help:"Set up the TTDK Partner API: stations, services, partners; see its bookings."`
}

type versionCommand struct{}

func (versionCommand) Run() error {
	fmt.Println("thungan", version)
	return nil
}

const about = `Thungan is the payment gateway that a Vietnamese merchant runs itself: VietQR bank
transfers that confirm themselves, a hosted payment page, signed notifications
and a double-entry ledger, in one program.

To try it out, 'thungan dev'. To take payments, see 'thungan serve --help'.

A setting, that is a flag shown with a ($NAME), may also come from the environment
variable of that name or from the --config file. The flag wins, then the environment.`

// Exit statuses, besides 0.
const (
	exitFailed = 1
	exitUsage  = 2
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) (status int) {
	var cli commands
	parser := kong.Must(&cli,
		kong.Name("thungan"), kong.Description(about),
		kong.Configuration(readConfig), kong.DefaultEnvars("THUNGAN"),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(withConfig(args))
	if err != nil {
		complain(err)
		fmt.Fprintf(os.Stderr, "Run '%s --help' to see what it takes.\n", asked(err))
		return exitUsage
	}
	// The first signal asks for an orderly end, a second one ends at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	command.BindTo(ctx, (*context.Context)(nil))
	err = command.Run()
	logged.Flush()
	if err != nil {
		complain(err)
		return exitFailed
	}
	return 0
}

// complain prints an error on one line.
func complain(err error) {
	lines := strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' })
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	fmt.Fprintln(os.Stderr, "thungan:", strings.ReplaceAll(strings.Join(lines, "; "), ":; ", ": "))
}

// asked is the command whose help helps with an error in the command line.
func asked(err error) string {
	words := []string{"thungan"}
	var parse *kong.ParseError
	if errors.As(err, &parse) {
		for _, step := range parse.Context.Path {
			if step.Command != nil {
				words = append(words, step.Command.Name)
			}
		}
	}
	return strings.Join(words, " ")
}
