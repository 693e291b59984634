package main

import (
	"errors"
	"fmt"
	"net"

	"github.com/kith-project/kith/server"
)

// transportFlags are the flags of kith serve about its addresses and who may connect to them.
type transportFlags struct {
	Listen  string `default:"127.0.0.1:8080" placeholder:"ADDR" help:"Address of the public routes (default ${default}); port 0 takes a free one."`
	TLSCert string `name:"tls-cert" placeholder:"FILE" help:"Certificate chain in PEM. Without one the server speaks plain HTTP, for a proxy on the same machine. Read again when the file changes, or on SIGHUP."`
	TLSKey  string `name:"tls-key" placeholder:"FILE" help:"Private key of the certificate in PEM."`
	// A client certificate says nothing of what a client may do: the token does, as without.
	TLSClientCA string `name:"tls-client-ca" placeholder:"FILE" help:"Authorities in PEM: on the public address only clients with a certificate of theirs are let in."`

	RegisterAddr string `name:"register-listen" placeholder:"ADDR" help:"Address of the account service's routes. With it the public address has no registrations."`
	RegisterCert string `name:"register-tls-cert" placeholder:"FILE" help:"Certificate of --register-listen (default: that of the public address)."`
	RegisterKey  string `name:"register-tls-key" placeholder:"FILE" help:"Private key of that certificate."`
	RegisterCA   string `name:"register-client-ca" placeholder:"FILE" help:"Authorities in PEM: the account service must show a certificate of theirs, beside its token."`

	Admin     string `placeholder:"ADDR" help:"Address of /healthz, /readyz, /metrics, of kith epoch and kith quota, which are not for the public. Without it there are none."`
	AdminCert string `name:"admin-tls-cert" placeholder:"FILE" help:"Certificate of --admin in PEM. Without one it speaks plain HTTP."`
	AdminKey  string `name:"admin-tls-key" placeholder:"FILE" help:"Private key of that certificate."`
	AdminCA   string `name:"admin-client-ca" placeholder:"FILE" help:"Authorities in PEM: operators must show a certificate of theirs, beside their token."`

	BehindProxy          bool `help:"Take addresses from X-Forwarded-For, as a proxy on a private network sets it."`
	H2C                  bool `name:"h2c" help:"Speak HTTP/2 without TLS too, where a proxy asks for it; HTTP/1.1 stays."`
	MaxConnections       int  `default:"4096" placeholder:"N" help:"Connections open at once at each address (default ${default}); at the limit the one that has waited longest makes room."`
	ConnectionsPerSource int  `default:"256" placeholder:"N" help:"How many of them may come from one address (default ${default}); -1 for no limit, as it is for the public one with --behind-proxy."`
	StreamsPerConnection int  `default:"100" placeholder:"N" help:"Requests at once on one connection of HTTP/2 (default ${default})."`
}

// check refuses flags that do not go together.
func (f *transportFlags) check() error {
	for _, pair := range []struct{ name, cert, key string }{
		{"tls", f.TLSCert, f.TLSKey}, {"register-tls", f.RegisterCert, f.RegisterKey}, {"admin-tls", f.AdminCert, f.AdminKey},
	} {
		if (pair.cert == "") != (pair.key == "") {
			return fmt.Errorf("--%s-cert and --%s-key go together", pair.name, pair.name)
		}
	}
	registerCert, _ := f.registerFiles()
	for _, of := range []struct{ flag, ca, cert, hint string }{
		{"--tls-client-ca", f.TLSClientCA, f.TLSCert, "--tls-cert and --tls-key"},
		{"--register-client-ca", f.RegisterCA, registerCert, "--register-tls-cert and --register-tls-key, or --tls-cert and --tls-key"},
		{"--admin-client-ca", f.AdminCA, f.AdminCert, "--admin-tls-cert and --admin-tls-key"},
	} {
		if of.ca != "" && of.cert == "" {
			return withHint(fmt.Errorf("%s needs TLS, in which clients show their certificates", of.flag), "%s", "give "+of.hint)
		}
	}
	switch {
	case f.RegisterAddr == "" && (f.RegisterCert != "" || f.RegisterCA != ""):
		return withHint(errors.New("the account service has no address of its own"), "give --register-listen ADDR too")
	case f.Admin == "" && (f.AdminCert != "" || f.AdminCA != ""):
		return withHint(errors.New("there is no admin address"), "give --admin ADDR too")
	case f.H2C && f.TLSCert != "":
		return withHint(errors.New("--h2c is for plain HTTP"), "with --tls-cert, HTTP/2 is negotiated by TLS")
	case f.MaxConnections < 1 || f.StreamsPerConnection < 1:
		return errors.New("--max-connections and --streams-per-connection: at least 1")
	case f.ConnectionsPerSource < 1 && f.ConnectionsPerSource != -1:
		return errors.New("--connections-per-source: at least 1, or -1 for no limit")
	default:
		return nil
	}
}

// registerFiles returns the certificate of the account service's address and its key: its own, or those of the public one.
func (f *transportFlags) registerFiles() (cert, key string) {
	if f.RegisterCert != "" {
		return f.RegisterCert, f.RegisterKey
	}
	return f.TLSCert, f.TLSKey
}

// connections returns the limits of one of the addresses. Behind a proxy all connections of devices come from one.
func (f *transportFlags) connections(name string) server.Connections {
	c := server.Connections{Total: f.MaxConnections, PerSource: f.ConnectionsPerSource, Streams: f.StreamsPerConnection}
	if f.BehindProxy && name == "public" {
		c.PerSource = -1
	}
	return c
}

// exposed reports whether an address is reached from other machines.
func exposed(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && host != "localhost" && (ip == nil || !ip.IsLoopback())
}
