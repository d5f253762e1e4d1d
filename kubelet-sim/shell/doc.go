// Package shell is what can be run in a container that is none: the commands with which people look at what a pod was given, and a
// small shell that joins them. All of it happens in this process: no program of the machine is started, no file outside of the
// container is reached, and no host but the API server.
//
// Nouns: Container (where commands run), Files (what they see), Terminal (a line editor, for -it).
//
// Start reading at Container.Run, then at script.go.
//
// # Simplifications
//
//   - The shell has pipes, ;, && and ||, quotes, $NAME, ${NAME}, $?, $(command), assignments, < > and >>; no loops, no
//     conditions but test, no functions, no jobs, no patterns of file names.
//   - A pipe's commands run one after another, each output kept in between, up to a megabyte.
//   - Commands know the options that are mostly used: sh -c "help" lists them.
package shell
