// The peer of the fan-out comparison: one channel of Centrifuge's library, with its history in memory.
//
// It listens on a free port and prints the address as the application's server does.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/centrifugal/centrifuge"
)

const (
	channel = "general"
	// As many messages as the application's server has in memory.
	historySize = 8192
	historyTTL  = time.Hour
)

func main() {
	node, err := centrifuge.New(centrifuge.Config{LogLevel: centrifuge.LogLevelError, LogHandler: logEntry})
	if err != nil {
		log.Fatal(err)
	}
	node.OnConnecting(func(context.Context, centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		return centrifuge.ConnectReply{
			Credentials:   &centrifuge.Credentials{},
			Subscriptions: map[string]centrifuge.SubscribeOptions{channel: {EnableRecovery: true}},
		}, nil
	})
	// A connection without a handler is closed.
	node.OnConnect(func(*centrifuge.Client) {})
	if err := node.Run(); err != nil {
		log.Fatal(err)
	}
	// A subscriber that answers no ping would be closed during the measurement.
	pings := centrifuge.PingPongConfig{PingInterval: time.Hour, PongTimeout: -1}
	http.Handle("/http_stream", centrifuge.NewHTTPStreamHandler(node, centrifuge.HTTPStreamConfig{PingPongConfig: pings}))
	http.Handle("/websocket", centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{PingPongConfig: pings}))
	http.HandleFunc("POST /publish", func(answer http.ResponseWriter, request *http.Request) {
		publish(node, answer, request)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on http://%s\n", listener.Addr())
	log.Fatal(http.Serve(listener, nil))
}

func publish(node *centrifuge.Node, answer http.ResponseWriter, request *http.Request) {
	message, err := io.ReadAll(request.Body)
	if err == nil {
		_, err = node.Publish(channel, message, centrifuge.WithHistory(historySize, historyTTL))
	}
	if err != nil {
		http.Error(answer, err.Error(), http.StatusInternalServerError)
	}
}

func logEntry(entry centrifuge.LogEntry) {
	log.Println(entry.Message, entry.Fields)
}
