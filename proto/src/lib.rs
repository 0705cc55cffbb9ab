//! The wire types of the Glaux catalog service, generated from `proto/**/*.proto`. No behaviour: whoever uses them converts at its edge.

/// `glaux.catalog.v1`.
pub mod catalog {
    #[allow(missing_docs, unreachable_pub, clippy::all)]
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/glaux.catalog.v1.rs"));
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::catalog::v1::{Partition, PartitionValue};

    #[test]
    fn a_null_value_is_not_an_empty_one() {
        let values = vec![PartitionValue { text: None }, PartitionValue { text: Some(String::new()) }];
        let partition = Partition { values, ..Partition::default() };
        let read = Partition::decode(partition.encode_to_vec().as_slice()).unwrap();
        assert_eq!(read, partition);
    }
}
