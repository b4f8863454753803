// Everything that a technician tries, in the order of the page and of the report.

export const CHECKS = ['microphone', 'speaker', 'camera', 'touch', 'scanner', 'printer', 'screen'];
