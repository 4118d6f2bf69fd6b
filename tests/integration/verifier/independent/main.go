// An independent maker and checker of notes, cosignatures and proofs, with the libraries that the specifications come from.
//
//	independent make SIZE    prints a log of SIZE leaves as JSON: keys, checkpoint, proofs
//	independent check        reads the same JSON, made by somebody else, and fails if any part of it does not verify
package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"strconv"

	cosignature "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type inclusion struct {
	Index int64
	Leaf  []byte
	Proof []tlog.Hash
}

type consistency struct {
	OldSize int64
	OldRoot tlog.Hash
	Proof   []tlog.Hash
}

type told struct {
	LogKey      string // verifier keys
	WitnessKey  string
	Checkpoint  string
	Size        int64
	Root        tlog.Hash
	Inclusion   []inclusion
	Consistency []consistency
}

// stored keeps the hashes of a tree in the order of golang.org/x/mod/sumdb/tlog.
type stored []tlog.Hash

func (s stored) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, 0, len(indexes))
	for _, index := range indexes {
		hashes = append(hashes, s[index])
	}
	return hashes, nil
}

func main() {
	log.SetFlags(0)
	var err error
	switch {
	case len(os.Args) == 3 && os.Args[1] == "make":
		err = tell(os.Args[2])
	case len(os.Args) == 2 && os.Args[1] == "check":
		err = check()
	default:
		err = errors.New("independent make SIZE | independent check")
	}
	if err != nil {
		log.Fatal(err)
	}
}

func tell(text string) error {
	size, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return err
	}
	var tree stored
	leaf := func(index int64) []byte { return []byte(fmt.Sprintf("leaf %d", index)) }
	for index := range size {
		hashes, err := tlog.StoredHashes(index, leaf(index), tree)
		if err != nil {
			return err
		}
		tree = append(tree, hashes...)
	}
	out := told{Size: size}
	if out.Root, err = tlog.TreeHash(size, tree); err != nil {
		return err
	}
	for index := range size {
		proof, err := tlog.ProveRecord(size, index, tree)
		if err != nil {
			return err
		}
		out.Inclusion = append(out.Inclusion, inclusion{index, leaf(index), proof})
		oldRoot, err := tlog.TreeHash(index+1, tree)
		if err != nil {
			return err
		}
		extended, err := tlog.ProveTree(size, index+1, tree)
		if err != nil {
			return err
		}
		out.Consistency = append(out.Consistency, consistency{index + 1, oldRoot, extended})
	}
	if err := out.sign(); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

func (t *told) sign() error {
	logSecret, logKey, err := note.GenerateKey(rand.Reader, "independent.example/log")
	if err != nil {
		return err
	}
	witnessSecret, witnessKey, err := note.GenerateKey(rand.Reader, "independent.example/witness")
	if err != nil {
		return err
	}
	logSigner, err := note.NewSigner(logSecret)
	if err != nil {
		return err
	}
	witness, err := cosignature.NewSignerForCosignatureV1(witnessSecret)
	if err != nil {
		return err
	}
	t.LogKey = logKey
	if t.WitnessKey, err = cosignature.VKeyToCosignatureV1(witnessKey); err != nil {
		return err
	}
	text := fmt.Sprintf("independent.example/log\n%d\n%s\n", t.Size, t.Root)
	signed, err := note.Sign(&note.Note{Text: text}, logSigner, witness)
	t.Checkpoint = string(signed)
	return err
}

func check() error {
	var t told
	if err := json.NewDecoder(os.Stdin).Decode(&t); err != nil {
		return err
	}
	logVerifier, err := note.NewVerifier(t.LogKey)
	if err != nil {
		return fmt.Errorf("the log's key: %w", err)
	}
	witness, err := cosignature.NewVerifierForCosignatureV1(t.WitnessKey)
	if err != nil {
		return fmt.Errorf("the witness's key: %w", err)
	}
	opened, err := note.Open([]byte(t.Checkpoint), note.VerifierList(logVerifier, witness))
	if err != nil {
		return err
	}
	if len(opened.Sigs) != 2 || len(opened.UnverifiedSigs) != 0 {
		return fmt.Errorf("%d signatures verify, %d do not", len(opened.Sigs), len(opened.UnverifiedSigs))
	}
	if want := fmt.Sprintf("%s\n%d\n%s\n", logVerifier.Name(), t.Size, t.Root); opened.Text != want {
		return fmt.Errorf("the checkpoint says %q, where %q is expected", opened.Text, want)
	}
	for _, one := range t.Inclusion {
		if err := tlog.CheckRecord(one.Proof, t.Size, t.Root, one.Index, tlog.RecordHash(one.Leaf)); err != nil {
			return fmt.Errorf("leaf %d: %w", one.Index, err)
		}
	}
	for _, one := range t.Consistency {
		if err := tlog.CheckTree(one.Proof, t.Size, t.Root, one.OldSize, one.OldRoot); err != nil {
			return fmt.Errorf("size %d: %w", one.OldSize, err)
		}
	}
	fmt.Println(len(t.Inclusion), len(t.Consistency))
	return nil
}
