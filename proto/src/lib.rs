//! The messages of the Glaux catalog service, its client and its server trait, generated from `proto/**/*.proto`.

/// The descriptors of all services and messages, an encoded `google.protobuf.FileDescriptorSet`.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// `glaux.catalog.v1`.
pub mod catalog {
    #[allow(
        missing_docs,
        missing_debug_implementations,
        unreachable_pub,
        unused_qualifications,
        clippy::all,
        clippy::pedantic,
        clippy::nursery,
        clippy::restriction
    )]
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/glaux.catalog.v1.rs"));
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::catalog::v1::{KeyFilter, PartitionValue};

    #[test]
    fn a_null_value_is_not_an_empty_one() {
        let any_of = vec![PartitionValue { text: None }, PartitionValue { text: Some(String::new()) }];
        let filter = KeyFilter { key: "dt".to_owned(), any_of };
        let read = KeyFilter::decode(filter.encode_to_vec().as_slice()).unwrap();
        assert_eq!(read, filter);
    }

    #[test]
    fn the_service_is_described() {
        let described = String::from_utf8_lossy(super::FILE_DESCRIPTOR_SET);
        assert!(described.contains("CatalogService") && described.contains("GetPartitions"));
    }
}
