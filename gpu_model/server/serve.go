package server

import (
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/cosim"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// Serve is the command that serves a model (nil: the embedded one); program is its name in messages. It prints one line
// {"listening": …} when ready, and ends when the driver asks, when standard input closes (the driver is gone), or on a signal. It returns
// the exit status.
func Serve(program string, model Model, arguments []string) int {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	socket := flags.String("socket", "", "path of the Unix socket")
	private := flags.String("private", "", "the session's private directory, removed when the driver is gone")
	if flags.Parse(arguments) != nil {
		return 2
	}
	if *socket == "" {
		fmt.Fprintln(os.Stderr, program+" serve: --socket PATH is needed")
		return 2
	}
	old := syscall.Umask(0o177) // the socket is the user's alone
	listener, err := net.Listen("unix", *socket)
	syscall.Umask(old)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s serve: can't listen on %s: %v\n", program, *socket, err)
		return 2
	}
	ended, orphaned := make(chan struct{}), false
	stop := sync.OnceFunc(func() { close(ended) })
	served := &Server{Model: model, Stop: stop, Log: func(format string, arguments ...any) { fmt.Fprintf(os.Stderr, format+"\n", arguments...) }}
	grpcServer := grpc.NewServer(grpc.MaxRecvMsgSize(cosim.MessageLimit), grpc.MaxSendMsgSize(cosim.MessageLimit))
	wire.RegisterGpuModelServer(grpcServer, served)
	failed := make(chan error, 1)
	go func() { failed <- grpcServer.Serve(listener) }()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		orphaned = true
		stop()
	}()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	fmt.Printf("{\"listening\": %q}\n", "unix:"+*socket)
	status := 0
	select {
	case <-ended:
	case <-signals:
	case err := <-failed:
		fmt.Fprintf(os.Stderr, "%s serve: %v\n", program, err)
		status = 4
	}
	// A launch under way is cancelled through its context when its connection goes.
	cleanUp := func() {
		_ = os.Remove(*socket)
		if orphaned && *private != "" {
			_ = os.RemoveAll(*private)
		}
	}
	timer := time.AfterFunc(2*time.Second, func() {
		cleanUp()
		os.Exit(status)
	})
	grpcServer.Stop()
	served.Close()
	timer.Stop()
	cleanUp()
	return status
}
