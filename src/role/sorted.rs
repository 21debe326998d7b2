//! A map in the order of its keys. Not a tree, which is 8 kB of code for each type: the few thousand entries of a large
//! class are moved in microseconds.

use std::borrow::Borrow;

/// Values by their keys, in the order of the keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sorted<K, V>(Vec<(K, V)>);

impl<K, V> Default for Sorted<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord, V> Sorted<K, V> {
    /// Where this key is, or belongs.
    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        self.0
            .binary_search_by(|(known, _)| known.borrow().cmp(key))
    }

    /// The value of this key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let found = self.find(key).ok();
        found.map(|at| &self.0[at].1)
    }

    /// Sets the value of this key, and gives the one that it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.find(&key) {
            Ok(at) => Some(std::mem::replace(&mut self.0[at].1, value)),
            Err(at) => {
                self.0.insert(at, (key, value));
                None
            }
        }
    }

    /// Takes this key away, and gives the value that it had.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let found = self.find(key).ok();
        found.map(|at| self.0.remove(at).1)
    }

    /// Keeps those of which `is_kept` is true.
    pub fn retain(&mut self, mut is_kept: impl FnMut(&K, &V) -> bool) {
        self.0.retain(|(key, value)| is_kept(key, value));
    }

    /// Takes all away.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// All keys with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// All keys.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.iter().map(|(key, _)| key)
    }

    /// All keys, as they are.
    pub fn into_keys(self) -> impl Iterator<Item = K> {
        self.0.into_iter().map(|(key, _)| key)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_map_in_the_order_of_its_keys() {
        let mut random = fastrand::Rng::with_seed(1);
        let (mut sorted, mut tree) = (Sorted::default(), std::collections::BTreeMap::new());
        for value in 0..1_000 {
            let key = format!("{}", random.u8(..50));
            match random.bool() {
                true => assert_eq!(sorted.insert(key.clone(), value), tree.insert(key, value)),
                false => assert_eq!(sorted.remove(&*key), tree.remove(&*key)),
            }
            let key = format!("{}", random.u8(..50));
            assert_eq!(sorted.get(&*key), tree.get(&*key));
            assert!(sorted.iter().eq(tree.iter()) && sorted.keys().eq(tree.keys()));
            assert_eq!(
                (sorted.len(), sorted.is_empty()),
                (tree.len(), tree.is_empty())
            );
        }
        sorted.retain(|key, _| key.len() == 1);
        assert!(sorted.clone().into_keys().all(|key| key.len() == 1));
        sorted.clear();
        assert!(sorted.is_empty());
    }
}
