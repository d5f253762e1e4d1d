package server

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	"k8s.io/streaming/pkg/httpstream/wsstream"
)

// protocols are those of remote commands by WebSocket, newest first. The channels are numbered as StreamStdIn and so on; in v5
// either side may end one of them, in those with base64 messages are text, and before v4 errors are.
func protocols(o *remotecommand.Options) map[string]wsstream.ChannelProtocolConfig {
	only := func(wanted bool, kind wsstream.ChannelType) wsstream.ChannelType {
		if !wanted {
			return wsstream.IgnoreChannel
		}
		return kind
	}
	channels := []wsstream.ChannelType{
		remotecommand.StreamStdIn:  only(o.Stdin, wsstream.ReadChannel),
		remotecommand.StreamStdOut: only(o.Stdout, wsstream.WriteChannel),
		remotecommand.StreamStdErr: only(o.Stderr, wsstream.WriteChannel),
		remotecommand.StreamErr:    wsstream.WriteChannel,
		remotecommand.StreamResize: wsstream.ReadChannel,
	}
	all := map[string]wsstream.ChannelProtocolConfig{}
	for _, binary := range []string{"", "channel.k8s.io", "v4.channel.k8s.io", "v5.channel.k8s.io"} {
		all[binary] = wsstream.ChannelProtocolConfig{Binary: true, Channels: channels}
	}
	for _, text := range []string{"base64.channel.k8s.io", "v4.base64.channel.k8s.io"} {
		all[text] = wsstream.ChannelProtocolConfig{Channels: channels}
	}
	return all
}

// serveWebSocket connects a client with a process.
// Source: k8s.io/apiserver/pkg/util/proxy/websocket.go.
func serveWebSocket(w http.ResponseWriter, r *http.Request, o *remotecommand.Options, failed string, run session) {
	conn := wsstream.NewConn(protocols(o))
	conn.SetIdleTimeout(idleTimeout)
	protocol, channels, err := conn.Open(w, r)
	if err != nil {
		return // the client was told
	}
	defer conn.Close()
	first := remotecommand.StreamErr
	streams := Streams{Stdout: io.Discard, TTY: o.TTY}
	if o.Stderr {
		first, streams.Stderr = remotecommand.StreamStdErr, channels[remotecommand.StreamStdErr]
	}
	if o.Stdout {
		first, streams.Stdout = remotecommand.StreamStdOut, channels[remotecommand.StreamStdOut]
	}
	if o.Stdin {
		streams.Stdin = channels[remotecommand.StreamStdIn]
	}
	channels[first].Write(nil) // tells the client that it is connected
	go io.Copy(io.Discard, channels[remotecommand.StreamResize])

	code, err := run(r.Context(), streams)
	outcome := outcomeOf(code, err, failed)
	if protocol != "v4.channel.k8s.io" && protocol != "v5.channel.k8s.io" && protocol != "v4.base64.channel.k8s.io" {
		if outcome.Status != metav1.StatusSuccess {
			io.WriteString(channels[remotecommand.StreamErr], outcome.Message)
		}
		return
	}
	if data, err := json.Marshal(outcome); err == nil {
		channels[remotecommand.StreamErr].Write(data)
	}
}

// outcomeOf is what a client is told of the end.
func outcomeOf(code int, err error, failed string) metav1.Status {
	switch {
	case err != nil:
		return metav1.Status{
			Status: metav1.StatusFailure, Reason: metav1.StatusReasonInternalError, Code: http.StatusInternalServerError,
			Message: fmt.Sprintf("Internal error occurred: %s: %v", failed, err),
			Details: &metav1.StatusDetails{Causes: []metav1.StatusCause{{Message: fmt.Sprintf("%s: %v", failed, err)}}},
		}
	case code != 0:
		return metav1.Status{
			Status: metav1.StatusFailure, Reason: remotecommand.NonZeroExitCodeReason,
			Message: fmt.Sprintf("command terminated with non-zero exit code: command terminated with exit code %d", code),
			Details: &metav1.StatusDetails{Causes: []metav1.StatusCause{{Type: remotecommand.ExitCodeCauseType, Message: fmt.Sprint(code)}}},
		}
	}
	return metav1.Status{Status: metav1.StatusSuccess}
}
