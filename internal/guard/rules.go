package guard

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"syscall"

	"code.dny.dev/ssrf"
)

// named are the networks that are refused, by the name an operator knows. What
// is not in the table is left to package ssrf, which holds IANA's registries of
// special purpose addresses and allows no IPv6 outside 2000::/3.
var named = []struct {
	network netip.Prefix
	rule    string
}{
	{netip.MustParsePrefix("0.0.0.0/8"), "this host"},
	{netip.MustParsePrefix("::/128"), "this host"},
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback"},
	{netip.MustParsePrefix("::1/128"), "loopback"},
	{netip.MustParsePrefix("10.0.0.0/8"), "private network"},
	{netip.MustParsePrefix("172.16.0.0/12"), "private network"},
	{netip.MustParsePrefix("192.168.0.0/16"), "private network"},
	{netip.MustParsePrefix("fc00::/7"), "private network"},
	{netip.MustParsePrefix("fec0::/10"), "private network"},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local"},
	{netip.MustParsePrefix("fe80::/10"), "link-local"},
	{netip.MustParsePrefix("100.64.0.0/10"), "carrier-grade NAT"},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast"},
	{netip.MustParsePrefix("ff00::/8"), "multicast"},
	{netip.MustParsePrefix("255.255.255.255/32"), "broadcast"},
	// These carry an IPv4 address inside, which may be any of the above.
	{netip.MustParsePrefix("::ffff:0:0/96"), "IPv4-mapped"},
	{netip.MustParsePrefix("64:ff9b::/96"), "NAT64"},
	{netip.MustParsePrefix("64:ff9b:1::/48"), "NAT64"},
	{netip.MustParsePrefix("2001::/32"), "Teredo"},
	{netip.MustParsePrefix("2002::/16"), "6to4"},
	// Cloud metadata and host services outside the ranges above: Azure's
	// virtual public address.
	{netip.MustParsePrefix("168.63.129.16/32"), "cloud metadata"},
}

// rules decide about one address and port.
type rules struct {
	loopback bool
	nets     []netip.Prefix
	ports    []uint16
	iana     *ssrf.Guardian
}

func newRules(o Options) rules {
	return rules{
		loopback: o.AllowLoopback,
		nets:     o.AllowNets,
		ports:    append([]uint16{80, 443}, o.AllowPorts...),
		iana:     ssrf.New(ssrf.WithAnyPort()),
	}
}

// control is the net.Dialer's hook: it runs after name resolution and before
// the first packet.
func (r rules) control(network, address string, _ syscall.RawConn) error {
	if network != "tcp4" && network != "tcp6" {
		return &Error{Kind: Refused, Rule: "network " + network}
	}
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return &Error{Kind: Refused, Rule: "not an address", cause: err}
	}
	return r.check(to)
}

func (r rules) check(to netip.AddrPort) error {
	// A zone would hide the address from every prefix.
	ip := to.Addr().WithZone("")
	if r.loopback && ip.IsLoopback() && !ip.Is4In6() {
		return nil
	}
	if !slices.Contains(r.ports, to.Port()) {
		return refused(to, "port "+strconv.Itoa(int(to.Port())))
	}
	for _, network := range r.nets {
		if network.Contains(ip) {
			return nil
		}
	}
	for _, n := range named {
		if contains(n.network, ip) {
			return refused(to, n.rule)
		}
	}
	if err := r.iana.SafeAddr(ip); err != nil {
		return refused(to, "special purpose address")
	}
	return nil
}

// contains also sees IPv4-mapped addresses, which Prefix.Contains does not.
func contains(network netip.Prefix, ip netip.Addr) bool {
	if ip.Is4In6() {
		return network.Addr().Is4In6()
	}
	return network.Contains(ip)
}

func refused(to netip.AddrPort, rule string) error {
	return &Error{Kind: Refused, Addr: to, Rule: rule}
}

// CheckURL tells early, when a merchant names an address, what Do would refuse
// later: a text that is no absolute http or https URL, a URL with a user name, a
// port or a literal address that is not allowed. A host name is not resolved. An
// error is an *Error of kind Refused.
func (c *Client) CheckURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "":
		return &Error{Kind: Refused, Rule: "not an absolute URL"}
	case u.Scheme != "http" && u.Scheme != "https":
		return &Error{Kind: Refused, Rule: "scheme is not http or https"}
	case u.User != nil:
		return &Error{Kind: Refused, Rule: "user name in the URL"}
	}
	port := uint64(80)
	if u.Scheme == "https" {
		port = 443
	}
	if u.Port() != "" {
		if port, err = strconv.ParseUint(u.Port(), 10, 16); err != nil {
			return &Error{Kind: Refused, Rule: "port " + u.Port()}
		}
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil {
		return c.rules.check(netip.AddrPortFrom(ip, uint16(port)))
	}
	if !c.rules.loopback && !slices.Contains(c.rules.ports, uint16(port)) {
		return &Error{Kind: Refused, Rule: "port " + strconv.FormatUint(port, 10)}
	}
	return nil
}
