//! A table that reuses its places: indices stay small, and nothing is allocated per message.

/// Values by index. An index is valid from [`Slab::insert`] to [`Slab::remove`].
#[derive(Debug)]
pub(crate) struct Slab<T> {
    places: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Slab<T> {
    /// An empty table.
    pub(crate) const fn new() -> Slab<T> {
        Slab {
            places: Vec::new(),
            free: Vec::new(),
        }
    }

    /// Puts a value in and gives its index.
    pub(crate) fn insert(&mut self, value: T) -> u32 {
        if let Some(index) = self.free.pop() {
            self.places[index as usize] = Some(value);
            return index;
        }
        let index = u32::try_from(self.places.len()).expect("bounded by SEGMENTS_MAX");
        self.places.push(Some(value));
        index
    }

    /// Takes a value out.
    pub(crate) fn remove(&mut self, index: u32) -> Option<T> {
        let value = self.places.get_mut(index as usize)?.take();
        if value.is_some() {
            self.free.push(index);
        }
        value
    }

    /// The value at an index.
    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        self.places.get(index as usize)?.as_ref()
    }

    /// The value at an index, to change.
    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        self.places.get_mut(index as usize)?.as_mut()
    }

    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// All indices in use, in order.
    pub(crate) fn indices(&self) -> Vec<u32> {
        let used = self
            .places
            .iter()
            .enumerate()
            .filter(|(_, place)| place.is_some());
        used.filter_map(|(index, _)| u32::try_from(index).ok())
            .collect()
    }
}
