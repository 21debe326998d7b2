//! What a role has remembered in an earlier process.

use std::collections::BTreeMap;

use crate::mqtt::TopicName;

/// The values of [`Effect::Remember`](super::Effect::Remember), and what the broker has not confirmed of an earlier
/// process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    /// Each value by its name.
    pub values: BTreeMap<String, Vec<u8>>,
    /// The topics of the messages that the broker has not confirmed, one for each. The link goes on with them, and tells
    /// the role of their confirmation.
    pub unconfirmed: Vec<TopicName>,
}

impl Memory {
    /// What was last remembered under this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.values.get(name).map(Vec::as_slice)
    }
}

/// A role whose tests look at what others see of it, and not at what it remembers.
#[cfg(test)]
pub trait Told: super::Role<Input = std::convert::Infallible> {
    /// [`Role::handle`](super::Role::handle), without [`Effect::Remember`](super::Effect::Remember).
    fn told(
        &mut self,
        now: std::time::Instant,
        event: super::Event<'_>,
    ) -> super::Reaction<Self::Item> {
        let mut effects = self.handle(now, event)?;
        effects.retain(|effect| !matches!(effect, super::Effect::Remember(..)));
        Ok(effects)
    }
}

#[cfg(test)]
impl<R: super::Role<Input = std::convert::Infallible>> Told for R {}
