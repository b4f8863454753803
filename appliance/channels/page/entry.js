// Writing into a field at its caret, as a real key would, whether the field has the focus or not.

export class Entry {
  constructor(field) {
    this.field = field;
  }

  write(text) {
    const { selectionStart: start, selectionEnd: end, value, maxLength } = this.field;
    if (maxLength > 0 && value.length - (end - start) + text.length > maxLength) return;
    this.field.setRangeText(text, start, end, 'end');
    this.told();
  }

  erase() {
    const { selectionStart: start, selectionEnd: end, value } = this.field;
    if (end === 0) return;
    const before = start === end ? [...value.slice(0, start)].at(-1).length : 0; // a character may be two units
    this.field.setRangeText('', start - before, end, 'end');
    this.told();
  }

  empty() {
    this.field.value = '';
    this.told();
  }

  // Everybody hears of the change, and its end stays in sight.
  told() {
    this.field.dispatchEvent(new Event('input', { bubbles: true }));
    if (this.field.selectionEnd === this.field.value.length) this.field.scrollLeft = this.field.scrollWidth;
  }
}
