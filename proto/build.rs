//! Generates the messages, the client and the server trait from the `.proto` files, without an installed `protoc`.

use std::{env, error::Error, fs, path::Path};

use prost::Message;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let files = protox::compile(["glaux/catalog/v1/catalog.proto", "glaux/catalog/v1/service.proto"], ["proto"])?;
    // For reflection.
    fs::write(Path::new(&env::var("OUT_DIR")?).join("descriptors.bin"), files.encode_to_vec())?;
    tonic_prost_build::configure().btree_map(".").bytes(".").compile_fds(files)?;
    Ok(())
}
