//! The `brownout` binary: everything is in the library.

fn main() -> brownout::cli::Exit {
    brownout::cli::main()
}
