#!/usr/bin/env node
/** The program `dimmer`. */
import { begin } from './begin.ts';

begin('dimmer', 'standalone');
