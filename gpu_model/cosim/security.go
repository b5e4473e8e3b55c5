package cosim

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// security turns a target and its credentials into an address and dial options. A Unix socket is protected by its file mode; TCP
// needs mutual TLS, or a token over TLS, or the explicit admission of a bare loopback connection.
func (o *SeatOptions) security() (address string, options []grpc.DialOption, err error) {
	if path, ok := strings.CutPrefix(o.Target, "unix:"); ok {
		if path == "" {
			return "", nil, errors.New("a unit's Unix socket needs a path: unix:/path")
		}
		return "unix:" + strings.TrimPrefix(path, "//"), []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}, nil
	}
	hostPort := strings.TrimPrefix(o.Target, "tcp://")
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil || host == "" || port == "" {
		return "", nil, fmt.Errorf("a unit's address is unix:/path, tcp://host:port, builtin: or replay:DIR, got %q", o.Target)
	}
	address = "passthrough:///" + hostPort
	switch {
	case o.InsecureLoopback:
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return "", nil, fmt.Errorf("a bare TCP connection is for loopback addresses only, %s is none: use TLS", host)
		}
		return address, []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}, nil
	case len(o.TLSCA) == 0:
		return "", nil, fmt.Errorf("a unit at %s needs mutual TLS, or a token over TLS, or --insecure-loopback for a loopback address", o.Target)
	case o.Token == "" && len(o.TLSCertificate) == 0:
		return "", nil, fmt.Errorf("a unit at %s needs a client certificate with its key, or a token, beside the authority's certificate", o.Target)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(o.TLSCA) {
		return "", nil, errors.New("the authority's certificate is no PEM certificate")
	}
	config := &tls.Config{RootCAs: roots, ServerName: host, MinVersion: tls.VersionTLS13}
	if len(o.TLSCertificate) > 0 {
		pair, err := tls.X509KeyPair(o.TLSCertificate, o.TLSKey)
		if err != nil {
			return "", nil, fmt.Errorf("the client certificate and its key do not fit: %v", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	options = []grpc.DialOption{grpc.WithTransportCredentials(credentials.NewTLS(config))}
	if o.Token != "" {
		options = append(options, grpc.WithPerRPCCredentials(bearer(o.Token)))
	}
	return address, options, nil
}

// waits reports whether a server may still be on its way up: a local one, which the driver has just started.
func (o *SeatOptions) waits() bool { return strings.HasPrefix(o.Target, "unix:") }

// bearer sends a token with the stream, over TLS only.
type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

func (b bearer) RequireTransportSecurity() bool { return true }
