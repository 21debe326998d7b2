//! Reads the parts of an entry, as `record` wrote them; `None` where the record ends before.

use super::record::NONE;
use super::{Header, Queued, Stage, Wanted};
use crate::mqtt::{Message, QoS, TopicName};
use crate::role::Job;

/// The rest of a record.
pub(super) struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub fn number(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    pub fn pkid(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    pub fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = u32::from_le_bytes(self.take(4)?.try_into().ok()?);
        self.take(usize::try_from(length).ok()?)
    }

    pub fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }

    pub fn header(&mut self) -> Option<Header> {
        Some(Header {
            owner: self.text()?,
            boot: Some(self.text()?).filter(|boot| !boot.is_empty()),
            is_durable: self.byte()? == 1,
        })
    }

    pub fn wanted(&mut self) -> Option<Wanted> {
        Some(Wanted {
            serial: self.number()?,
            cause: Some(self.number()?).filter(|cause| *cause != NONE),
            delivery: self.number()?,
            job: self.job()?,
            has_begun: false,
        })
    }

    fn job(&mut self) -> Option<Job> {
        let program = self.text()?;
        let count = self.number()?;
        let arguments = (0..count).map(|_| self.text()).collect::<Option<_>>()?;
        let input = self.bytes()?.to_vec();
        let count = self.number()?;
        let variables = (0..count).map(|_| Some((self.text()?, self.text()?)));
        Some(Job {
            program,
            arguments,
            input,
            variables: variables.collect::<Option<_>>()?,
            topic: TopicName::new(self.text()?).ok()?,
            qos: QoS::try_from(self.byte()?).ok()?,
        })
    }

    pub fn queued(&mut self) -> Option<Queued> {
        let serial = self.number()?;
        let cause = Some(self.number()?).filter(|cause| *cause != NONE);
        let flags = self.byte()?;
        let qos = QoS::try_from(flags & 3).ok()?;
        let topic = TopicName::new(self.text()?).ok()?;
        let mut message = Message::new(topic, self.bytes()?, qos);
        message.retain = flags >> 7 == 1;
        Some(Queued {
            serial,
            cause,
            message,
            stage: Stage::Waiting,
        })
    }
}
