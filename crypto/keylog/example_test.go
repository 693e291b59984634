package keylog_test

import (
	"fmt"
	"log"
	"time"

	"github.com/kith-project/kith/crypto/keylog"
	"github.com/kith-project/kith/crypto/secret"
)

// A server enters the key of each epoch, and a device finds it there, in a log that extends the one it saw before.
func Example() {
	seed := secret.Value{1} // 32 random bytes
	signer, err := keylog.NewSigner("kith.example.com/keylog", seed)
	if err != nil {
		log.Fatal(err)
	}
	entry := keylog.Entry{Event: keylog.EventEpoch, Epoch: 1, Suite: "ristretto255-SHA512", PublicKey: [32]byte{0xe2}, Time: time.Now()}
	message, err := keylog.Append(keylog.Message{}, signer, entry)
	if err != nil {
		log.Fatal(err)
	}

	pinned, err := keylog.ParseVerifierKey(signer.VerifierKey()) // on the device
	if err != nil {
		log.Fatal(err)
	}
	var last *keylog.Checkpoint // what the device remembers: nothing yet
	view, err := keylog.Verify(message, pinned, keylog.Options{Last: last})
	if err != nil {
		log.Fatal(err)
	}
	key, logged := view.Key(1)
	fmt.Printf("%x %t\n", key[:4], logged)
	_, logged = view.Key(2)
	fmt.Println("epoch 2:", logged)
	// Output:
	// e2000000 true
	// epoch 2: false
}
