//! Partitions against those that Kafka's own Java client computes. `Murmur2.java` beside the vectors made
//! them.

use fleetstorm_model::record::KeyHash;

#[test]
fn partitions_are_those_of_the_java_client() {
    let text = include_str!("../vectors/murmur2.tsv");
    let mut rows = 0;
    for line in text.split('\n').filter(|line| !line.is_empty() && !line.starts_with("key\t")) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [key, hash, partitions @ ..] = fields.as_slice() else {
            panic!("a row has a key, a hash and partitions: {line:?}");
        };
        let hashed = KeyHash::of(key.as_bytes());
        assert_eq!(hashed.partition(u32::MAX).to_string(), *hash, "hash of {key:?}");
        assert_eq!(partitions.len(), 5);
        for (count, expected) in [1, 3, 6, 12, 1000].into_iter().zip(partitions) {
            assert_eq!(hashed.partition(count).to_string(), *expected, "{key:?} of {count}");
        }
        rows += 1;
    }
    assert!(rows >= 200, "{rows} rows");
}
