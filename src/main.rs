//! The `brownout` binary: everything is in the library.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> brownout::cli::Exit {
    brownout::cli::main()
}
