/** Small signs, drawn here: colour is never the only thing that tells a state. */
import type { JSX } from 'preact';

const shapes = {
  good: 'M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm3.6 5.3-4.2 4.6a.8.8 0 0 1-1.2 0L4.3 8.8l1.1-1.1 1.4 1.4 3.7-3.9Z',
  warning:
    'M8.9 1.6a1 1 0 0 0-1.8 0L.9 13a1 1 0 0 0 .9 1.5h12.4a1 1 0 0 0 .9-1.5ZM7.2 5.5h1.6v4.3H7.2Zm.8 7.2a1 1 0 1 1 0-2 1 1 0 0 1 0 2Z',
  danger: 'M5.2 1h5.6L15 5.2v5.6L10.8 15H5.2L1 10.8V5.2Zm2 3v5h1.6V4Zm.8 8.2a1 1 0 1 0 0-2 1 1 0 0 0 0 2Z',
  moving:
    'M8 2a6 6 0 0 1 5.7 4.2h-1.7A4.4 4.4 0 0 0 4.6 5L6.2 6.6H1.5V1.9l2 2A6 6 0 0 1 8 2ZM2.3 9.8H4A4.4 4.4 0 0 0 11.4 11L9.8 9.4h4.7v4.7l-2-2A6 6 0 0 1 2.3 9.8Z',
  paused: 'M3.5 2h3v12h-3Zm6 0h3v12h-3Z',
  unknown:
    'M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm.8 11H7.2v-1.6h1.6Zm0-2.7H7.2c0-2.2 2-2.2 2-3.6 0-.7-.5-1.2-1.2-1.2S6.7 5 6.6 5.7L5.1 5.5C5.2 4 6.4 3 8 3s2.8 1.1 2.8 2.6c0 1.9-2 2.1-2 3.7Z',
  info: 'M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm.8 10.5H7.2V7h1.6Zm0-5.8H7.2V4.1h1.6Z',
  search: 'M7 1.5a5.5 5.5 0 1 0 3.3 9.9l3.5 3.4 1-1-3.4-3.5A5.5 5.5 0 0 0 7 1.5ZM7 3a4 4 0 1 1 0 8 4 4 0 0 1 0-8Z',
  up: 'M8 1.5 2.5 7l1.1 1.1L7.2 4.6V14h1.6V4.6l3.6 3.5L13.5 7Z',
  down: 'M8 14.5 13.5 9l-1.1-1.1-3.6 3.5V2H7.2v9.4L3.6 7.9 2.5 9Z',
  ban: 'M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1ZM2.8 8A5.2 5.2 0 0 1 11 3.9L3.9 11A5 5 0 0 1 2.8 8ZM8 13.2a5 5 0 0 1-3-1l7.2-7.2A5.2 5.2 0 0 1 8 13.2Z',
  clock:
    'M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm0 1.7a5.3 5.3 0 1 1 0 10.6A5.3 5.3 0 0 1 8 2.7ZM7.2 4.3v4.2l3 1.8.800-1.3-2.2-1.3V4.3Z',
  diamond: 'M8 1.5 14.5 8 8 14.5 1.5 8Z',
  plus: 'M7.2 2.5h1.6v4.7h4.7v1.6H8.8v4.7H7.2V8.8H2.5V7.2h4.7Z',
  minus: 'M2.5 7.2h11v1.6h-11Z',
  chevron: 'M5.5 2.5 11 8l-5.5 5.5-1.1-1.1L8.8 8 4.4 3.6Z',
  lock: 'M8 1.5A3.2 3.2 0 0 0 4.8 4.7V7H3.5v7.5h9V7h-1.3V4.7A3.2 3.2 0 0 0 8 1.5ZM6.3 7V4.7a1.7 1.7 0 0 1 3.4 0V7Z',
  theme: 'M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13Zm0 1.6v9.8a4.9 4.9 0 0 1 0-9.8Z',
  host: 'M2 2h12v5H2Zm0 7h12v5H2Zm2-5.2v1.4h1.5V3.8Zm0 7v1.4h1.5v-1.4Z',
  close: 'm3.6 2.5 4.4 4.4 4.4-4.4 1.1 1.1L9.1 8l4.4 4.4-1.1 1.1L8 9.1l-4.4 4.4-1.1-1.1L6.9 8 2.5 3.6Z',
} as const;
export type IconName = keyof typeof shapes;

/** Says nothing to a screen reader: what it stands for is said beside it. */
export function Icon({ name, size = 16 }: { readonly name: IconName; readonly size?: number }): JSX.Element {
  return (
    <svg
      class={`icon icon-${name}`}
      viewBox="0 0 16 16"
      width={size}
      height={size}
      aria-hidden="true"
      focusable="false"
    >
      <path d={shapes[name]} />
    </svg>
  );
}
